"""What NVIDIA's devices say in the opaque data of their reports: fields of a type and a length.

The types are those of NVIDIA's own verifiers (nvtrust, attestation-sdk). They are signed with the
rest; a type that is not known here says nothing to a policy.
"""

import re
from collections.abc import Mapping
from typing import Final

from tabasco.verify.errors import malformed
from tabasco.verify.proven import Fact, HexNumber

DRIVER_VERSION: Final = "driver-version"
FIRMWARE_VERSION: Final = "vbios-version"
"""Of a GPU its VBIOS, of a switch its BIOS."""
FIRMWARE_ID: Final = 20
"""The field with the digest of the firmware that holds the signing key."""

_DRIVER, _VBIOS, _NVDEC, _FEATURES = 3, 6, 11, 36
_TEXTS: Final = {15: "chip-sku", 17: "project", 18: "project-sku", 35: "chip"}
_NUMBERS: Final = {14: "board-id", 25: "switch-lock", 34: "opaque-version"}
_SWITCHES: Final = {_NVDEC: "nvdec0", 21: "protected-pcie"}
_ENABLED: Final = {b"\xaa": "enabled", b"\x55": "disabled"}
_MODES: Final = {0: "single-gpu", 1: "multi-gpu", 2: "protected-pcie"}
_TEXT: Final = re.compile(rb"[\x20-\x7e]{0,64}")
_BINARY_VBIOS_BYTES: Final = 8
_NVDEC_MEASUREMENT: Final = 35


def parse_opaque(data: bytes) -> dict[int, bytes]:
    """The fields of opaque data by their type.

    Raises:
        EvidenceError: stage `format`.
    """
    fields: dict[int, bytes] = {}
    position = 0
    while position < len(data):
        header = data[position : position + 4]
        kind, size = int.from_bytes(header[:2], "little"), int.from_bytes(header[2:], "little")
        position += 4 + size
        if len(header) < 4 or position > len(data) or kind in fields:
            raise malformed(f"the opaque data are cut, or field {kind} is there twice")
        fields[kind] = data[position - size : position]
    return fields


def facts_of(fields: Mapping[int, bytes]) -> dict[str, Fact]:
    """What the fields say, for policies.

    Raises:
        EvidenceError: stage `format`: a field has not the form of its type.
    """
    found: dict[str, Fact] = {}
    if _DRIVER in fields:
        found[DRIVER_VERSION] = _text(fields[_DRIVER], DRIVER_VERSION)
    if _VBIOS in fields:
        found[FIRMWARE_VERSION] = _vbios(fields[_VBIOS])
    for kind, value in fields.items():
        if kind in _TEXTS:
            found[_TEXTS[kind]] = _text(value, _TEXTS[kind])
        elif kind in _NUMBERS:
            found[_NUMBERS[kind]] = HexNumber(_number(value, _NUMBERS[kind]))
        elif kind in _SWITCHES:
            found[_SWITCHES[kind]] = _ENABLED.get(value, f"unknown ({value[:4].hex()})")
    if _FEATURES in fields:
        mode = _number(fields[_FEATURES], "mode")
        found["mode"] = _MODES.get(mode, f"unknown ({mode})")
    if FIRMWARE_ID in fields:
        found["firmware-id"] = fields[FIRMWARE_ID].hex()
    return found


def left_out(fields: Mapping[int, bytes]) -> frozenset[int]:
    """Indices of measurements that this device does not make though reference values name them."""
    # Without the decoder its firmware is not loaded.
    return frozenset({_NVDEC_MEASUREMENT}) if fields.get(_NVDEC) == b"\x55" else frozenset()


def _vbios(data: bytes) -> str:
    if len(data) != _BINARY_VBIOS_BYTES:
        return _text(data, FIRMWARE_VERSION)
    main, last = data[:4][::-1], data[4:5]
    return ".".join(f"{byte:02X}" for byte in main + last)


def _text(data: bytes, name: str) -> str:
    text = data.rstrip(b"\0")
    if not _TEXT.fullmatch(text):
        raise malformed(f"{name} in the opaque data is not text of at most 64 characters")
    return text.decode("ascii")


def _number(data: bytes, name: str) -> int:
    if not 0 < len(data) <= 8:
        raise malformed(f"{name} in the opaque data has {len(data)} bytes")
    return int.from_bytes(data, "little")
