"""`sonora doctor`: what this host gives an isolate to be walled in by, and what it lacks.

`layers` tries each layer of isolation, `machine` looks at what else Sonora needs, `hardware` at
what could vouch for it, `throwaway` has things tried in a process that ends with the attempt,
`findings` are what is found.
"""

from pathlib import Path

from sonora.doctor.findings import Diagnosis, FindingState, HostFinding
from sonora.doctor.layers import layers_of_this_host, try_layers
from sonora.doctor.machine import look_at_machine
from sonora.evidence.tpm.source import TpmSettings

__all__ = ["Diagnosis", "FindingState", "HostFinding", "diagnose", "layers_of_this_host"]


def diagnose(image: Path | None = None, tpm: TpmSettings | None = None) -> Diagnosis:
    """All that there is to know of this host, and of this image or the installed release's.

    Args:
        image: what isolates are to run from, if not the release's.
        tpm: which TPM is to vouch for this machine, if not the kernel's.
    """
    return Diagnosis((*try_layers(), *look_at_machine(image, tpm or TpmSettings())))
