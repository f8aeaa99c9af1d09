"""An event log beside evidence whose registers it explains."""

from collections.abc import Mapping
from typing import Final

from tabasco.verify.errors import EvidenceError, Fault, VerificationStage
from tabasco.verify.eventlog.log import EventLog, parse_event_log
from tabasco.verify.eventlog.replay import check_log
from tabasco.verify.kinds import EvidenceKind
from tabasco.verify.proven import Fact, Proven

_RTMRS: Final = {f"rtmr{index}": index + 1 for index in range(4)}
_PCRS: Final = {f"pcr{index}": index for index in range(24)}
# Which measurements are registers that a log speaks of, and of which bank, by kind of evidence.
_REGISTERS: Final[Mapping[EvidenceKind, tuple[tuple[str, str, Mapping[str, int]], ...]]] = {
    EvidenceKind.TDX: (("sha384", "", _RTMRS),),
    EvidenceKind.NITRO_TPM: (("sha384", "", _PCRS),),
    **dict.fromkeys(
        (EvidenceKind.TPM, EvidenceKind.TPM_AZURE),
        (("sha256", "", _PCRS), ("sha384", "sha384.", _PCRS), ("sha1", "sha1.", _PCRS)),
    ),
}


def check_beside(data: bytes, proven: Proven) -> dict[str, Fact]:
    """What a log adds to the facts that are proven: which registers it explains.

    Raises:
        EvidenceError: it is malformed, does not replay to the registers, or the evidence has none.
    """
    log = parse_event_log(data)
    if proven.kind not in _REGISTERS:
        raise _refused(f"evidence of {proven.kind} has no registers that an event log speaks of")
    explained = [
        name
        for bank, prefix, registers in _REGISTERS[proven.kind]
        for name in _check(log, bank, prefix, registers, proven)
    ]
    if not explained:
        raise _refused(
            f"the event log has digests of {', '.join(log.banks)}, of which no register is proven"
        )
    return {"event-log": " ".join(explained), "event-log.events": len(log.events)}


def _check(
    log: EventLog, bank: str, prefix: str, registers: Mapping[str, int], proven: Proven
) -> list[str]:
    if bank not in log.banks:
        return []
    given = {
        number: proven.measurements[prefix + name]
        for name, number in registers.items()
        if prefix + name in proven.measurements
    }
    if not given:
        return []
    what = "RTMR, of the log's numbers," if proven.kind is EvidenceKind.TDX else "PCR"
    check_log(log, given, bank, of=what)
    return [
        prefix + name
        for name, number in registers.items()
        if number in given and number in log.registers
    ]


def _refused(detail: str) -> EvidenceError:
    return EvidenceError(Fault.EVENT_LOG, VerificationStage.BINDING, detail)
