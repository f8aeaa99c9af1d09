"""Evidence from Gramine: a root attester that runs in an SGX enclave.

Gramine's LibOS offers SGX attestation as files in /dev/attestation: what is to be bound is written
to `user_report_data` (64 bytes), `quote` is then a DCAP quote over it. For local attestation one
enclave writes another's `target_info` and reads a `report` for it, which only that enclave can
check. (Gramine documentation, "Attestation and Secret Provisioning".)
"""

from pathlib import Path
from typing import Final

from psa_attestation.evidence.native import NativeEvidence, report_data_of
from sonora.evidence.base import EvidenceUnavailableError, Files, KernelFiles
from sonora.evidence.local import REPORT_BYTES

ATTESTATION: Final = Path("/dev/attestation")
TARGET_INFO_BYTES: Final = 512
_REPORT_DATA_AT: Final = 320


class GramineSource:
    """Evidence of the enclave we run in.

    Args:
        folder: Gramine's attestation files.
        files: how they are read and written.

    Raises:
        EvidenceUnavailableError: this is no enclave, or it has no DCAP attestation.
    """

    platform = "sgx"

    def __init__(self, folder: Path = ATTESTATION, files: Files | None = None) -> None:
        self._folder = folder
        self._files = files or KernelFiles()
        kind = self._files.read(folder / "attestation_type").decode("ascii", "replace").strip()
        if kind != "dcap":
            raise EvidenceUnavailableError(
                f"the enclave's attestation is {kind[:20]!r}, not 'dcap': "
                'set sgx.remote_attestation = "dcap" in the manifest'
            )

    def evidence(self, *, measurement: bytes, version: str, binding: bytes) -> bytes:
        """A quote over `binding`; the hardware says itself what it measures.

        Raises:
            EvidenceUnavailableError: Gramine gives none.
        """
        del measurement, version
        self._files.write(self._folder / "user_report_data", report_data_of(binding))
        return NativeEvidence(self.platform, self._files.read(self._folder / "quote")).encode()

    def target_info(self) -> bytes:
        """What another enclave on this machine needs to make a report for us (512 bytes).

        Raises:
            EvidenceUnavailableError: Gramine gives none.
        """
        return self._sized("my_target_info", TARGET_INFO_BYTES)

    def report_for(self, target_info: bytes, binding: bytes) -> bytes:
        """A report (432 bytes) over `binding` that only the enclave of `target_info` can check.

        Raises:
            EvidenceUnavailableError: it is no target information, or Gramine gives no report.
        """
        if len(target_info) != TARGET_INFO_BYTES:
            raise EvidenceUnavailableError(
                f"target information of {len(target_info)} bytes, it has {TARGET_INFO_BYTES}"
            )
        self._files.write(self._folder / "target_info", target_info)
        self._files.write(self._folder / "user_report_data", report_data_of(binding))
        report = self._sized("report", REPORT_BYTES)
        if report[_REPORT_DATA_AT : _REPORT_DATA_AT + 64] != report_data_of(binding):
            raise EvidenceUnavailableError("the report is over something else: try again")
        return report

    def _sized(self, name: str, size: int) -> bytes:
        data = self._files.read(self._folder / name)
        if len(data) != size:
            raise EvidenceUnavailableError(
                f"{self._folder / name} has {len(data)} bytes, it must have {size}"
            )
        return data
