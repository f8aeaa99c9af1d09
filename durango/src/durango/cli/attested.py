"""An attestation as commands read and show it."""

from pathlib import Path

from durango._words import layer_names, timestamp
from durango.attestation_files import MAX_FILE_BYTES, SavedAttestation
from durango.evidence import Attestation
from durango.platforms import protection
from veracruz_shells.console import read_file
from veracruz_utils.policy import IsolationLayer


def load_attestation(path: Path) -> SavedAttestation:
    """The attestation in a file, not verified yet."""
    return SavedAttestation.parse(read_file(path, limit=MAX_FILE_BYTES, what="attestation"))


def outcome_lines(attestation: Attestation) -> list[str]:
    """What came of it, for people."""
    return [
        f"accepted: isolate {attestation.certificate_digest}",
        f"until {timestamp(attestation.expires_at)}, on {attestation.platform},",
        f"{protection(attestation.platform)};",
        f"layers of isolation in force: {layer_names(attestation.isolation)}",
    ]


def attestation_facts(attestation: Attestation) -> dict[str, object]:
    """What an attestation says, for programs; the keys are stable."""
    return {
        "platform": attestation.platform,
        "protection": protection(attestation.platform),
        "measurement": attestation.measurement.hex(),
        "machine": {each.name: each.value.hex() for each in attestation.machine},
        "runtime_version": attestation.version,
        "isolation": [layer for layer in IsolationLayer if layer in attestation.isolation],
        "certificate_digest": str(attestation.certificate_digest),
        "policy_digest": str(attestation.policy_digest),
        "instance_id": attestation.instance_id.hex(),
        "verifier": attestation.verifier,
        "issued_at": timestamp(attestation.issued_at),
        "expires_at": timestamp(attestation.expires_at),
    }
