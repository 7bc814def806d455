"""Divides the pictures into training, validation and test sides that share no picture and no copy of one."""
