"""Digests that tie evidence to what it is evidence for."""

import hashlib


def binding_digest(label: str, *parts: bytes) -> bytes:
    """SHA-256 (32 bytes) of `label` and `parts` as a transcript that can be read in one way only.

    Each element is preceded by its length (8 bytes, big-endian), so that no two lists of parts
    give the same transcript.

    Args:
        label: the purpose, so that a digest made for one is worth nothing for another.
        parts: in an order fixed by the purpose.
    """
    transcript = hashlib.sha256()
    for element in (label.encode(), *parts):
        transcript.update(len(element).to_bytes(8, "big"))
        transcript.update(element)
    return transcript.digest()
