"""Unified kernel images: PE files are read, hashed as firmware does, and written."""

from sonora_machine.uki.authenticode import authenticode_digest
from sonora_machine.uki.pe import MAX_IMAGE_BYTES, PeFile, PeSection
from sonora_machine.uki.unified import PARTS, UnifiedImage
from sonora_machine.uki.writing import write_uki

__all__ = [
    "MAX_IMAGE_BYTES",
    "PARTS",
    "PeFile",
    "PeSection",
    "UnifiedImage",
    "authenticode_digest",
    "write_uki",
]
