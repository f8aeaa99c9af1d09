"""What hardware there is to vouch for this machine; of a TPM also what it can prove of itself."""

import hashlib
from pathlib import Path

from sonora.doctor.findings import FindingState, HostFinding
from sonora.doctor.throwaway import Unable, attempt
from sonora.evidence import SOURCES, SourceSettings
from sonora.evidence.base import EvidenceUnavailableError
from sonora.evidence.tpm.source import TpmSettings, TpmSource


def look_at_hardware(tpm: TpmSettings) -> tuple[HostFinding, ...]:
    """A finding for each source of evidence."""
    settings = SourceSettings(Path(), tpm)
    return tuple(_source(name, settings) for name in SOURCES if name != "software")


def _source(name: str, settings: SourceSettings) -> HostFinding:
    means = f"Evidence of hardware for sonora serve --evidence {name}."

    def ask() -> str:
        try:
            source = SOURCES[name](settings)
            return _tpm(source) if isinstance(source, TpmSource) else f"platform {source.platform}"
        except EvidenceUnavailableError as error:
            raise Unable(str(error)) from None

    done, said = attempt(ask)
    found = f"there: {said}" if done else f"not there: {said}"
    return HostFinding(
        f"evidence {name}", FindingState.GOOD if done else FindingState.NOTE, found, means
    )


def _tpm(source: TpmSource) -> str:
    endorsement = source.endorsement
    proof = (
        "no endorsement certificate, so that a policy has to name the attestation key"
        if endorsement is None
        else f"endorsement key {hashlib.sha256(endorsement.public_key).hexdigest()}"
    )
    return (
        f"platform tpm, made by {source.manufacturer()!r}, "
        f"attestation key {source.key_digest.hex()}, {proof}"
    )
