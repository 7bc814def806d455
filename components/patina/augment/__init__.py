"""Cuts training and validation pictures into tiles, and makes changed copies of the training tiles."""
