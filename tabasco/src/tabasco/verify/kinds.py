"""The kinds of evidence that are verified."""

from enum import StrEnum
from typing import Final

MAX_EVIDENCE_BYTES: Final = 1024 * 1024


class EvidenceKind(StrEnum):
    """What some bytes are."""

    SGX = "sgx"
    TDX = "tdx"
    SEV_SNP = "sev-snp"
    NITRO = "nitro"
    ARM_CCA = "arm-cca"
    TPM = "tpm"
    TPM_AZURE = "tpm-azure"
    NVIDIA = "nvidia"
    NVIDIA_RIM = "nvidia-rim"
    NVIDIA_NRAS = "nvidia-nras"
    COMPOSITE = "composite"
    CONFIDENTIAL_SPACE = "confidential-space"
    PSA = "psa"
    EAR = "ear"
    CORIM = "corim"
