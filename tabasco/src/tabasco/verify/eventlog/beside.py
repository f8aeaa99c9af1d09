"""An event log beside evidence whose registers it explains."""

from collections.abc import Mapping
from typing import Final

from tabasco.verify.errors import EvidenceError, Fault, VerificationStage
from tabasco.verify.eventlog.log import EventLog, parse_event_log
from tabasco.verify.eventlog.replay import check_log, replayed
from tabasco.verify.kinds import EvidenceKind
from tabasco.verify.proven import Proven, ProvenEvent

_RTMRS: Final = {f"rtmr{index}": index + 1 for index in range(4)}
_CALLED: Final = {EvidenceKind.TDX: "register (RTMR, counted from 1)"}
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


def events_beside(data: bytes, proven: Proven) -> dict[str, tuple[ProvenEvent, ...]]:
    """What was extended into each register that is proven, by the names of measurements.

    A register that the log does not speak of is not among them, as anything may have been extended
    into it, unless it is as it starts.

    Raises:
        EvidenceError: it is malformed, does not replay to the registers, or the evidence has none.
    """
    log = parse_event_log(data)
    if proven.kind not in _REGISTERS:
        raise _refused(f"evidence of {proven.kind} has no registers that an event log speaks of")
    events: dict[str, tuple[ProvenEvent, ...]] = {}
    for bank, prefix, registers in _REGISTERS[proven.kind]:
        given = {
            number: proven.measurements[prefix + name]
            for name, number in registers.items()
            if prefix + name in proven.measurements
        }
        if bank in log.banks and given:
            check_log(log, given, bank, of=_CALLED.get(proven.kind, "PCR"))
            events |= _explained(log, bank, prefix, registers, given)
    if not events:
        raise _refused(
            f"the event log has digests of {', '.join(log.banks)}, of which no register is proven"
        )
    return events


def _explained(
    log: EventLog,
    bank: str,
    prefix: str,
    registers: Mapping[str, int],
    given: Mapping[int, bytes],
) -> dict[str, tuple[ProvenEvent, ...]]:
    return {
        prefix + name: tuple(
            ProvenEvent(event.number, event.name, event.digests[bank]) for event in log.of(number)
        )
        for name, number in registers.items()
        if number in given and given[number] == replayed(log, number, bank)
    }


def _refused(detail: str) -> EvidenceError:
    return EvidenceError(Fault.EVENT_LOG, VerificationStage.BINDING, detail)
