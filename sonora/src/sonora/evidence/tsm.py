"""Evidence from Linux's configfs-tsm: AMD SEV-SNP, Intel TDX and Arm CCA virtual machines.

A request is a folder below /sys/kernel/config/tsm/report. What is to be bound is written to
`inblob`, at most 64 bytes; `outblob` is the report or quote over it, `auxblob` what goes with it,
`provider` says whose it is. Another writer of the same folder would change what is read: the
kernel counts writes in `generation`, which is compared before and after. (Linux,
Documentation/ABI/testing/configfs-tsm-report.)
"""

import secrets
from base64 import encodebytes
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from uuid import UUID

from psa_attestation.evidence.native import AuxiliaryPart, NativeEvidence, report_data_of
from sonora.evidence.base import EvidenceUnavailableError, Files, KernelFiles

REPORTS: Final = Path("/sys/kernel/config/tsm/report")
_KINDS: Final[Mapping[str, str]] = {
    "sev_guest": "sev-snp",
    "tdx_guest": "tdx",
    "arm_cca_guest": "arm-cca",
}
# ATTESTATION_REPORT of AMD's SEV-SNP firmware interface, signature included.
_REPORT_BYTES: Final = 1184
_ENTRY_BYTES: Final = 24
_MAX_ENTRIES: Final = 16
# AMD, "Guest-Hypervisor Communication Block", certificate table.
_KEYS: Final = frozenset(
    {
        UUID("63da758d-e664-4564-adc5-f4b93be8accd"),  # VCEK
        UUID("a8074bc2-a25a-483e-aae6-39c045a0b8a1"),  # VLEK
    }
)
_AUTHORITIES: Final = frozenset(
    {
        UUID("4ab7b379-bbac-4fe4-a02f-05aef327c782"),  # ASK
        UUID("c0b406a4-a803-4952-9743-3fb6014cd0ae"),  # ARK
    }
)


class TsmSource:
    """Evidence of the virtual machine we run in.

    Args:
        folder: where requests are made.
        files: how.

    Raises:
        EvidenceUnavailableError: this is no such machine, or its kernel does not offer it.
    """

    def __init__(self, folder: Path = REPORTS, files: Files | None = None) -> None:
        self._folder = folder
        self._files = files or KernelFiles()
        self.platform = self._kind()

    def evidence(self, binding: bytes) -> bytes:
        """A report or quote over `binding`; the hardware says itself what it measures.

        Raises:
            EvidenceUnavailableError: the kernel gives none, or somebody interfered.
        """
        request = self._begin()
        try:
            return self._evidence(request, report_data_of(binding))
        finally:
            self._files.remove_folder(request)

    def _evidence(self, request: Path, report_data: bytes) -> bytes:
        generation = self._generation(request)
        self._files.write(request / "inblob", report_data)
        raw = self._files.read(request / "outblob")
        auxiliary = self._files.read(request / "auxblob")
        if self._generation(request) != generation + 1:
            raise EvidenceUnavailableError(f"somebody else wrote to {request}: try again")
        if self.platform != "sev-snp":
            return NativeEvidence(self.platform, raw).encode()
        return NativeEvidence(self.platform, raw[:_REPORT_BYTES], certificates(auxiliary)).encode()

    def _kind(self) -> str:
        request = self._begin()
        try:
            provider = self._files.read(request / "provider").decode("ascii", "replace").strip()
        finally:
            self._files.remove_folder(request)
        if provider not in _KINDS:
            known = ", ".join(_KINDS)
            raise EvidenceUnavailableError(
                f"{self._folder} is of provider {provider[:40]!r}, supported are {known}"
            )
        return _KINDS[provider]

    def _begin(self) -> Path:
        # Two attesters with one name would write into each other's request.
        request = self._folder / f"veracruz-{secrets.token_hex(8)}"
        self._files.make_folder(request)
        return request

    def _generation(self, request: Path) -> int:
        text = self._files.read(request / "generation").strip()
        if not text.isdigit():
            raise EvidenceUnavailableError(f"{request}/generation is {text[:20]!r}, not a number")
        return int(text)


def certificates(table: bytes) -> dict[str, bytes]:
    """AMD's certificates out of the table that hosts hand to guests, by what verifiers call them.

    Raises:
        EvidenceUnavailableError: an entry points outside of the table.
    """
    found: dict[str, bytes] = {}
    for index in range(_MAX_ENTRIES):
        entry = table[index * _ENTRY_BYTES : (index + 1) * _ENTRY_BYTES]
        # An entry of zeros ends the table.
        if len(entry) < _ENTRY_BYTES or not any(entry):
            break
        # In EFI's form, whose first three fields are little-endian.
        guid = UUID(bytes_le=entry[:16])
        offset, size = (int.from_bytes(entry[at : at + 4], "little") for at in (16, 20))
        if offset + size > len(table):
            raise EvidenceUnavailableError("the host's table of certificates is malformed")
        content = table[offset : offset + size]
        if guid in _KEYS:
            found[AuxiliaryPart.CERTIFICATE] = content
        elif guid in _AUTHORITIES:
            known = found.get(AuxiliaryPart.AUTHORITIES, b"")
            found[AuxiliaryPart.AUTHORITIES] = known + _pem(content)
    return found


def _pem(der: bytes) -> bytes:
    return b"-----BEGIN CERTIFICATE-----\n" + encodebytes(der) + b"-----END CERTIFICATE-----\n"
