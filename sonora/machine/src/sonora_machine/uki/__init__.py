"""Unified kernel images: PE files are read, hashed as firmware does, and written."""

from sonora_machine.uki.authenticode import authenticode_digest
from sonora_machine.uki.pe import MAX_IMAGE_BYTES, PeFile, PeSection
from sonora_machine.uki.writing import write_uki

__all__ = [
    "MAX_IMAGE_BYTES",
    "PeFile",
    "PeSection",
    "authenticode_digest",
    "write_uki",
]
