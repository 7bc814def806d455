"""Compares evaluated models: ranking, intervals, and what the numbers can and cannot say."""
