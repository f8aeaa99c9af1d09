"""Where native evidence comes from, one module per source; `source_named` picks one by its name."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from sonora.evidence.base import EvidenceSource, EvidenceUnavailableError
from sonora.evidence.gramine import GramineSource
from sonora.evidence.nsm import NsmSource
from sonora.evidence.software import SoftwareRoot
from sonora.evidence.tpm import TpmSource
from sonora.evidence.tsm import TsmSource

__all__ = [
    "SOURCES",
    "EvidenceSource",
    "EvidenceUnavailableError",
    "source_named",
]

SOURCES: Final[Mapping[str, Callable[[Path], EvidenceSource]]] = {
    "software": SoftwareRoot.load,
    "gramine": lambda _state: GramineSource(),
    "tsm": lambda _state: TsmSource(),
    "nsm": lambda _state: NsmSource(),
    "tpm": lambda _state: TpmSource(),
}
"""The sources by name; each is made from the folder of Sonora's state."""

_NEEDS: Final[Mapping[str, str]] = {
    "gramine": "an SGX enclave under Gramine with DCAP attestation",
    "tsm": "an SEV-SNP, TDX or CCA machine with Linux's configfs-tsm, and the right to use it",
    "nsm": "an AWS Nitro enclave",
    "tpm": "a TPM 2.0 with an attestation key, and the right to use it",
}


def source_named(name: str, state: Path) -> EvidenceSource:
    """The source of this name, which is there: there is no fallback.

    Raises:
        SonoraError: it is not.
    """
    try:
        return SOURCES[name](state)
    except EvidenceUnavailableError as error:
        raise EvidenceUnavailableError(
            f"--evidence {name} needs {_NEEDS[name]}: {error}; there is no fallback"
        ) from error
