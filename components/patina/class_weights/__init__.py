"""Counts the classes in the training pictures and makes loss weights from the counts."""
