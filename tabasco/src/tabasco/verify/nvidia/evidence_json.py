"""Reports of one device or several with their certificates, in the JSON that NVIDIA's SDKs write.

    [{"arch": "HOPPER", "nonce": "…", "evidence": "…", "certificate": "…"}, …]

The nonce is in hexadecimal, evidence in base64 or hexadecimal, the certificates are PEM, in base64
or as they are. Trustee and NVIDIA's service have such a list as a member of an object.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Final

from psa_attestation.jose.strict_json import decode_json
from tabasco.verify.conversion import as_evidence_error
from tabasco.verify.errors import malformed
from veracruz_utils.frozen import frozen
from veracruz_utils.strict_json import JsonValue

MAX_DEVICES: Final = 15
"""Eight GPUs and their switches, and no more than a result can speak of."""

_MAX_BYTES: Final = 512 * 1024
_LISTS: Final = ("device_evidence_list", "evidence_list")
_HEX: Final = re.compile(r"(?:0x)?(?:[0-9a-fA-F]{2})+")
_ARCHITECTURES: Final = {"HOPPER": "GH1", "BLACKWELL": "GB", "LS10": "LS10"}
"""Which chips there are of an architecture, by the beginnings of their names."""


@frozen
class DeviceEvidence:
    """A device's report and certificates (PEM), unverified; `nonce` and `chips` where it says them.

    Attributes:
        nonce: what the report is said to answer.
        chips: with what the names of the architecture's chips begin.
    """

    report: bytes
    chain: bytes
    nonce: bytes | None = None
    chips: str | None = None


def is_device_list(data: bytes) -> bool:
    """Whether some JSON is meant to be this."""
    start = data[:1]
    named = any(f'"{name}"'.encode() in data for name in _LISTS)
    return b'"certificate"' in data and (start == b"[" or (start == b"{" and named))


def parse_devices(data: bytes) -> tuple[DeviceEvidence, ...]:
    """The devices that some JSON speaks of, at least one.

    Raises:
        EvidenceError: stage `format`.
    """
    with as_evidence_error("the evidence"):
        document = decode_json(data, max_bytes=_MAX_BYTES)
    common: Mapping[str, JsonValue] = {}
    if isinstance(document, dict):
        name = next((each for each in _LISTS if each in document), None)
        common, document = document, document[name] if name else None
    if not isinstance(document, list) or not 1 <= len(document) <= MAX_DEVICES:
        raise malformed(f"the evidence is not a list of 1 to {MAX_DEVICES} devices")
    return tuple(_device(each, common) for each in document)


def _device(entry: JsonValue, common: Mapping[str, JsonValue]) -> DeviceEvidence:
    if not isinstance(entry, dict):
        raise malformed("a device is not an object")
    nonce = entry.get("nonce", common.get("nonce"))
    return DeviceEvidence(
        report=_octets(entry.get("evidence"), "a device's evidence"),
        chain=_chain(entry.get("certificate")),
        nonce=None if nonce is None else _octets(nonce, "a device's nonce"),
        chips=_chips(entry.get("arch", common.get("arch"))),
    )


def _chips(architecture: JsonValue) -> str | None:
    if architecture is None:
        return None
    known = _ARCHITECTURES.get(architecture.upper()) if isinstance(architecture, str) else None
    if known is None:
        shown = ", ".join(_ARCHITECTURES)
        raise malformed(f"architecture {str(architecture)[:40]!r} is not one of {shown}")
    return known


def _chain(value: JsonValue) -> bytes:
    if isinstance(value, str) and "-----BEGIN" in value:
        return value.encode()
    return _octets(value, "a device's certificates")


def _octets(value: JsonValue, name: str) -> bytes:
    if isinstance(value, str) and value:
        if _HEX.fullmatch(value):
            return bytes.fromhex(value.removeprefix("0x"))
        try:
            return base64.b64decode("".join(value.split()), validate=True)
        except (binascii.Error, ValueError):
            pass
    raise malformed(f"{name} is not base64 or hexadecimal")
