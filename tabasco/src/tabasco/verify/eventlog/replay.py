"""What a log replays to, and where it departs from the registers that a quote vouches for."""

import hashlib
import hmac
import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

from tabasco.verify.errors import EvidenceError, Fault, VerificationStage
from tabasco.verify.eventlog.log import DIGEST_BYTES, EventLog, LoggedEvent

_MOST_OMITTED: Final = 256
"""Of a register's events, up to which each is tried left out: it takes time by their square."""


def replay(log: EventLog, bank: str) -> dict[int, bytes]:
    """The value of every register that something was extended into, of one bank.

    Raises:
        EvidenceError: the log has no digests of the bank.
    """
    _check_bank(log, bank)
    return {register: replayed(log, register, bank) for register in log.registers}


def replayed(log: EventLog, register: int, bank: str) -> bytes:
    """What one register should be; as it starts, where nothing was extended into it."""
    return _extended(_start(log, register, bank), log.of(register), bank)


def check_log(log: EventLog, registers: Mapping[int, bytes], bank: str, *, of: str = "PCR") -> None:
    """Refuse a log that does not replay to registers that are authentic.

    Registers that were not given prove nothing about their events, and one that the log does not
    speak of, such as IMA's, may have any value: neither is looked at.

    Args:
        log: the log.
        registers: values by the log's own numbers.
        bank: whose values they are.
        of: how errors call a register.

    Raises:
        EvidenceError: fault `event-log`; it says which register, and which event where that shows.
    """
    _check_bank(log, bank)
    covered = [register for register in log.registers if register in registers]
    if not covered:
        raise _refused("the event log extends none of the registers that are proven")
    for register in covered:
        value = replayed(log, register, bank)
        if not hmac.compare_digest(value, registers[register]):
            raise _refused(
                f"{of} {register} of {bank} is {registers[register].hex()}, the event log replays "
                f"to {value.hex()}{_departure(log, register, bank, registers[register])}"
            )


def differences(
    log: EventLog, reference: EventLog, bank: str, *, of: Collection[int] = ()
) -> Iterator[str]:
    """For each register, the first event that is not as in another log.

    Args:
        log: the log.
        reference: one that was seen before, or is expected.
        bank: whose digests are compared.
        of: the registers that are looked at; all of both logs without it.
    """
    for each in (log, reference):
        _check_bank(each, bank)
    for register in sorted(of or {*log.registers, *reference.registers}):
        pairs = itertools.zip_longest(log.of(register), reference.of(register))
        for ours, theirs in pairs:
            if ours is None or theirs is None or ours.digests[bank] != theirs.digests[bank]:
                yield f"register {register}: {_shown(ours, bank)}, expected {_shown(theirs, bank)}"
                break


def _shown(event: LoggedEvent | None, bank: str) -> str:
    if event is None:
        return "nothing more"
    said = event.data.decode("ascii", "replace")
    # What an expected log says beside a digest is what the digest is of; firmware's are free too.
    words = f", {said!r}" if said.isascii() and said.isprintable() and 0 < len(said) <= 80 else ""
    return f"{event} {event.digests[bank].hex()}{words}"


def _check_bank(log: EventLog, bank: str) -> None:
    if bank not in log.banks:
        raise _refused(f"the event log has no digests of {bank}, it has {', '.join(log.banks)}")


def _start(log: EventLog, register: int, bank: str) -> bytes:
    locality = log.startup_locality if register == 0 else 0
    return bytes(DIGEST_BYTES[bank] - 1) + bytes([locality])


def _extended(value: bytes, events: Sequence[LoggedEvent], bank: str) -> bytes:
    for event in events:
        value = hashlib.new(bank, value + event.digests[bank]).digest()
    return value


def _departure(log: EventLog, register: int, bank: str, wanted: bytes) -> str:
    """Which event departs, where that can be told from the final value."""
    events = log.of(register)
    value = _start(log, register, bank)
    for index, event in enumerate(events):
        if value == wanted:
            return f": {event} and what follows were not extended"
        if len(events) <= _MOST_OMITTED and _extended(value, events[index + 1 :], bank) == wanted:
            return f": {event} was not extended"
        value = hashlib.new(bank, value + event.digests[bank]).digest()
    told = [str(each) for each in events if len(each.digests) > 1 and _disagrees(each, bank)]
    if told:
        return f": the {bank} digest of {', '.join(told[:3])} is not that of the event's data"
    return f": one of its {len(log.of(register))} events is not what was extended"


def _disagrees(event: LoggedEvent, bank: str) -> bool:
    """Whether the data hash to every other digest, and not to this one."""
    right = {
        name: hashlib.new(name, event.data).digest() == digest
        for name, digest in event.digests.items()
    }
    return not right.pop(bank) and all(right.values())


def _refused(detail: str) -> EvidenceError:
    return EvidenceError(Fault.EVENT_LOG, VerificationStage.BINDING, detail)
