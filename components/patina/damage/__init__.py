"""Procedural drawing of the 15 ARTeFACT kinds of damage, into a picture and its mask alike.

`patina.damage.kinds` holds the entry points; the other modules hold the drawings by cause. NumPy and OpenCV only.
"""
