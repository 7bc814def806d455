"""What all tests share: repeatable property tests, no network, no window."""

import os

import hypothesis

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # a test that reaches for the hub fails at once instead of depending on it
os.environ.setdefault("MPLBACKEND", "Agg")  # no display

# A red run can be repeated; two shared cores make any deadline a coin toss; examples kept on disk would differ from machine to machine.
hypothesis.settings.register_profile("patina", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("patina")
