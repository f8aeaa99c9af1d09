"""Evidence from Gramine: a root attester that runs in an SGX enclave.

Gramine's LibOS offers SGX attestation as files in /dev/attestation: what is to be bound is written
to `user_report_data` (64 bytes), `quote` is then a DCAP quote over it. (Gramine documentation,
"Attestation and Secret Provisioning".)
"""

from pathlib import Path
from typing import Final

from psa_attestation.evidence.native import NativeEvidence, report_data_of
from sonora.evidence.base import EvidenceUnavailableError, Files, KernelFiles

ATTESTATION: Final = Path("/dev/attestation")


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

    def evidence(self, binding: bytes) -> bytes:
        """A quote over `binding`; the hardware says itself what it measures.

        Raises:
            EvidenceUnavailableError: Gramine gives none.
        """
        self._files.write(self._folder / "user_report_data", report_data_of(binding))
        return NativeEvidence(self.platform, self._files.read(self._folder / "quote")).encode()
