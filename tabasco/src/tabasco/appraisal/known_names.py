"""The names that verifiers give: of measurements by kind of evidence, and of concerns.

A policy with a name that no verifier gives accepts nothing by it. So whoever writes a policy is
warned of names that are not here.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from tabasco.verify.kinds import NEVER_PROVEN, EvidenceKind

_SGX: Final = "mrenclave|mrsigner"
_TDX: Final = "mrtd|rtmr[0-3]|mrseam|mrsignerseam|mrconfigid|mrowner|mrownerconfig|mrservicetd"
_SNP: Final = "measurement|host_data|id_key_digest|author_key_digest"
_PCR: Final = "pcr(?:[0-9]|1[0-9]|2[0-3])"
_TPM: Final = f"pcrs|(?:sha(?:1|384|512)\\.)?{_PCR}"
_MEASUREMENTS: Final[Mapping[EvidenceKind, str]] = {
    EvidenceKind.SGX: _SGX,
    EvidenceKind.TDX: _TDX,
    EvidenceKind.SEV_SNP: _SNP,
    EvidenceKind.NITRO: "pcr(?:[0-9]|[12][0-9]|3[01])",
    EvidenceKind.NITRO_TPM: _PCR,
    EvidenceKind.ARM_CCA: r"rim|rem[0-3]|platform[0-9]+(?:\.signer)?",
    EvidenceKind.TPM: _TPM,
    EvidenceKind.TPM_AZURE: f"{_SNP}|{_TDX}|{_TPM}",
    EvidenceKind.NVIDIA: "measurement(?:[1-9]?[0-9]|1[0-9][0-9]|2[0-3][0-9])",
    EvidenceKind.NVIDIA_RIM: "",
    EvidenceKind.NVIDIA_NRAS: "",
    EvidenceKind.COMPOSITE: "",
    EvidenceKind.CONFIDENTIAL_SPACE: "image",
    EvidenceKind.MAA: f"{_SGX}|{_SNP}|{_TDX}",
    EvidenceKind.PSA: "enclave",
    EvidenceKind.EAR: "",
    EvidenceKind.CORIM: "",
    **dict.fromkeys(NEVER_PROVEN, ""),
}
WITH_COMPONENTS: Final = frozenset({EvidenceKind.PSA, EvidenceKind.ARM_CCA})
"""Kinds of evidence that list software piece by piece, by types that their makers choose."""
WITH_TCB_STATUS: Final = frozenset({EvidenceKind.SGX, EvidenceKind.TDX, EvidenceKind.TPM_AZURE})
"""Kinds of platforms whose vendor says what they are worth; of Azure's, those of TDX."""
_CONCERNS: Final = re.compile(
    r"tdx\.(?:sept-ve-disable-off|migratable|pks|key-locker|perfmon|attribute-\d+|service-td=.+)"
    r"|snp\.(?:migration-agent|chip-id-masked|vmpl=\d|tcb-below-floor)|cca\.lifecycle=.+"
    r"|confidential-space\.(?:secure-boot-off|other-software)"
    r"|tpm\.(?:uncertified-key|weak-registers)|maa\.no-hardware-isolation"
    r"|nvidia\.measurement\d+|nvidia-nras\..+"
    r"|psa\.old-profile|ear\..+=.+"
)


def unknown_measurement(kind: EvidenceKind, name: str) -> str | None:
    """A warning of a measurement that evidence of this kind never has; None if it may have it."""
    known = _MEASUREMENTS[kind]
    if re.fullmatch(known, name, re.DOTALL):
        return None
    if not known:
        return f"evidence of {kind} has no measurements, so {name[:64]!r} is never found"
    if kind in WITH_COMPONENTS:
        return f"{name[:64]!r} is probably a component: name it in [[{kind}.components]]"
    return f"evidence of {kind} has no measurement {name[:64]!r}: see docs/reference/evidence.md"


def unknown_reference(kind: EvidenceKind, name: str) -> str | None:
    """The same of a reference value, which may be of a component of any type."""
    return None if kind in WITH_COMPONENTS else unknown_measurement(kind, name)


def unknown_concerns(names: tuple[str, ...]) -> Iterator[str]:
    """Warnings of concerns that no verifier raises."""
    for name in names:
        if not _CONCERNS.fullmatch(name):
            yield f"no verifier has a concern {name[:64]!r}: see docs/reference/evidence.md"
