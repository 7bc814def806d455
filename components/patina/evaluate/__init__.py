"""Scores a model on whole test pictures at their native resolution."""
