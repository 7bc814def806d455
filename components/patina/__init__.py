"""patina: finds out which segmentation model maps damage on heritage pictures best, and proves it."""

__version__ = "0.1.0"
