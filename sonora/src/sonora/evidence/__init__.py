"""Where native evidence comes from, one module per source; `source_named` picks one by its name."""

from collections.abc import Callable, Mapping
from dataclasses import field
from pathlib import Path
from typing import Final

from sonora.evidence.base import EndorsedSource, EvidenceSource, EvidenceUnavailableError
from sonora.evidence.gramine import GramineSource
from sonora.evidence.nsm import NsmSource
from sonora.evidence.software import SoftwareRoot
from sonora.evidence.tpm.source import TpmSettings, TpmSource
from sonora.evidence.tsm import TsmSource
from veracruz_utils.frozen import frozen

__all__ = [
    "SOURCES",
    "EndorsedSource",
    "EvidenceSource",
    "EvidenceUnavailableError",
    "SourceSettings",
    "source_named",
]


@frozen
class SourceSettings:
    """What sources are made of: the folder of Sonora's state, and which TPM."""

    state: Path
    tpm: TpmSettings = field(default_factory=TpmSettings)


SOURCES: Final[Mapping[str, Callable[[SourceSettings], EvidenceSource]]] = {
    "software": lambda settings: SoftwareRoot.load(settings.state),
    "gramine": lambda _: GramineSource(),
    "tsm": lambda _: TsmSource(),
    "nsm": lambda _: NsmSource(),
    "tpm": lambda settings: TpmSource(settings.tpm),
}
"""The sources by name."""

_NEEDS: Final[Mapping[str, str]] = {
    "gramine": "an SGX enclave under Gramine with DCAP attestation",
    "tsm": "an SEV-SNP, TDX or CCA machine with Linux's configfs-tsm, and the right to use it",
    "nsm": "an AWS Nitro enclave",
    "tpm": "a TPM 2.0, and the right to use it",
}


def source_named(name: str, settings: SourceSettings) -> EvidenceSource:
    """The source of this name, which is there: there is no fallback.

    Raises:
        SonoraError: it is not.
    """
    try:
        return SOURCES[name](settings)
    except EvidenceUnavailableError as error:
        raise EvidenceUnavailableError(
            f"--evidence {name} needs {_NEEDS[name]}: {error}; there is no fallback"
        ) from error
