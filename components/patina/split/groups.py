"""Which pictures are copies of one another, and so must stay on one side.

Two pictures belong together if their files are equal (SHA-256) or if their 64-bit perceptual hashes (DCT, Zauner 2010)
differ in at most `near_duplicate_bits` bits: the same picture scaled or saved again. Belonging together is passed on, so
that a chain of near copies is one group. Parts of one picture and pictures of one object are not found this way.
"""

from collections.abc import Sequence

import numpy as np


def group_pictures(ids: Sequence[str], sha256: Sequence[str], phash: Sequence[str], near_duplicate_bits: int) -> list[str]:
    """The group of each picture: the smallest id among its copies, its own id if it has none.

    Args:
        ids: names of the pictures.
        sha256: hex digests of their files.
        phash: perceptual hashes as 16 hex digits.
        near_duplicate_bits: largest Hamming distance of copies, 0..64.
    """
    hashes = np.array([int(text, 16) for text in phash], np.uint64)
    files: dict[str, int] = {}
    leader = list(range(len(ids)))

    def find(index: int) -> int:
        while leader[index] != index:
            leader[index] = leader[leader[index]]
            index = leader[index]
        return index

    for index in range(len(ids)):
        distances = np.bitwise_count(hashes[:index] ^ hashes[index])
        copies = np.flatnonzero(distances <= near_duplicate_bits).tolist()
        for other in (*copies, files.setdefault(sha256[index], index)):
            leader[find(other)] = find(index)
    smallest: dict[int, str] = {}
    for index, identifier in enumerate(ids):
        root = find(index)
        smallest[root] = min(identifier, smallest.get(root, identifier))
    return [smallest[find(index)] for index in range(len(ids))]
