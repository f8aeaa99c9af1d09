"""Verifiers of native hardware evidence, by vendor; no input or output, no clock.

Verifying and accepting are two steps, kept apart. A verifier says what evidence *proves*: its bytes
are well formed, every signature, chain and binding holds at the given time, and here are the facts
(`Proven`). Whether those facts are *acceptable* is for `tabasco.appraisal`, by a policy that denies
what it does not allow. So authentic evidence of a debuggable or outdated machine is reported as
exactly that, and not as malformed. Time is always given; nothing here reads a clock, a file or the
network.
"""

from tabasco.verify.errors import EvidenceError, Fault, VerificationStage
from tabasco.verify.proven import Concern, Proven, TcbStatus

__all__ = ["Concern", "EvidenceError", "Fault", "Proven", "TcbStatus", "VerificationStage"]
