"""Finds pictures that show the same thing, and says whether two sets of pictures stand apart."""
