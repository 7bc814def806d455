"""Wiring only: pipelines, where they run, and the command line."""
