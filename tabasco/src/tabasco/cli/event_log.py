"""The command `tabasco event-log`: what a log of measured boot says, for writers of policies."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from tabasco.errors import TabascoError
from tabasco.verify.errors import EvidenceError
from tabasco.verify.eventlog.log import MAX_LOG_BYTES, EventLog, LoggedEvent, parse_event_log
from tabasco.verify.eventlog.replay import differences, replay
from veracruz_shells.console import emit, json_option, read_file

_FILE: Final = click.Path(path_type=Path, dir_okay=False, allow_dash=True)
_BANKS: Final = ("sha512", "sha384", "sha256", "sm3", "sha1")
_DIFFERENT: Final = 1


@click.command("event-log")
@click.argument("file", type=_FILE)
@click.option("--bank", metavar="NAME", show_default="the longest that it has",
              help="Bank of registers, such as sha256.")  # fmt: skip
@click.option("--against", type=_FILE, metavar="FILE",
              help="A log seen before, or one that 'sonora machine measure --event-log' wrote: "
              "say what differs first in each register.")  # fmt: skip
@click.option("--register", "only", type=click.IntRange(0, 31), multiple=True, metavar="NUMBER",
              help="Compare this register, and others so named, alone.")  # fmt: skip
@json_option
@click.pass_context
def event_log(
    context: click.Context,
    /,
    *,
    file: Path,
    bank: str | None,
    against: Path | None,
    only: tuple[int, ...],
    as_json: bool,
) -> None:
    """Show what the event log in FILE (TCG or CCEL, - for stdin) extends, and what that comes to.

    It proves nothing by itself, as nobody signs a log: verify the quote over its registers with
    'tabasco verify --event-log'. A digest shown with data is that of these very data; other data
    are not authentic even then. With --against the exit status is 1 where a register differs.
    """
    if only and against is None:
        raise click.UsageError("--register is for --against")
    log = _log(file)
    chosen = bank or next((each for each in _BANKS if each in log.banks), "")
    try:
        registers = replay(log, chosen)
        found = [] if against is None else list(differences(log, _log(against), chosen, of=only))
    except EvidenceError as error:
        raise TabascoError(f"{file}: {error.detail}") from error
    value = {
        "banks": list(log.banks),
        "bank": chosen,
        "registers": {str(register): digest.hex() for register, digest in registers.items()},
        "events": [_fields(each, chosen) for each in log.events if each.extends],
        "differences": None if against is None else found,
    }
    emit(value, "\n".join(_lines(log, chosen, registers, found)), as_json=as_json)
    if found:
        context.exit(_DIFFERENT)


def _log(file: Path) -> EventLog:
    data = read_file(file, limit=MAX_LOG_BYTES, what="event log")
    try:
        return parse_event_log(data)
    except EvidenceError as error:
        raise TabascoError(f"{file} is not an event log: {error.detail}") from error


def _fields(event: LoggedEvent, bank: str) -> dict[str, object]:
    return {
        "number": event.number,
        "register": event.register,
        "type": event.name,
        "digest": event.digests[bank].hex(),
        "data": event.data.hex() if event.attested else None,
    }


def _lines(
    log: EventLog, bank: str, registers: dict[int, bytes], found: Sequence[str]
) -> Sequence[str]:
    lines = [f"events of {bank}, of the banks {', '.join(log.banks)}:"]
    lines += [
        f"  {each.number:>4}  register {each.register:>2}  {each.digests[bank].hex()}  {each.name}"
        for each in log.events
        if each.extends
    ]
    lines += ["", "replayed:"]
    lines += [f"  register {register:>2}  {digest.hex()}" for register, digest in registers.items()]
    if found:
        lines += ["", "different:", *(f"  {each}" for each in found)]
    return lines
