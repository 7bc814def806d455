"""Random numbers that depend on what they are for, and on nothing that happened before."""

import hashlib
import json

import numpy as np


def stream(seed: int, *purpose: str | int) -> np.random.Generator:
    """A generator of its own for every `seed` and `purpose` (for instance the name of the choice, a picture's id, a copy's number)."""
    digest = hashlib.sha256(json.dumps([seed, *purpose]).encode()).digest()
    return np.random.default_rng(np.frombuffer(digest, "<u4").tolist())
