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
    NITRO_TPM = "nitro-tpm"
    ARM_CCA = "arm-cca"
    TPM = "tpm"
    TPM_AZURE = "tpm-azure"
    NVIDIA = "nvidia"
    NVIDIA_RIM = "nvidia-rim"
    NVIDIA_NRAS = "nvidia-nras"
    COMPOSITE = "composite"
    CONFIDENTIAL_SPACE = "confidential-space"
    MAA = "maa"
    PSA = "psa"
    EAR = "ear"
    CORIM = "corim"
    CSV = "csv"
    EAT = "eat"
    EVENT_LOG = "event-log"


NEVER_PROVEN: Final = frozenset({EvidenceKind.CSV, EvidenceKind.EAT, EvidenceKind.EVENT_LOG})
"""Kinds that are known by their form, and refused for what they lack."""
