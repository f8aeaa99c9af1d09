"""What evidence proved, as it is kept with an enrolment, so that later policies decide on it."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

import msgspec

from tabasco.verify.proven import Fact, HexNumber, Proven
from veracruz_utils.policy import REGISTER_BANKS

MAX_KEPT_BYTES: Final = 1024 * 1024
_TEXT, _NUMBER, _HEX = "text", "number", "hex"


def keep(proven: Proven) -> bytes:
    """`proven`, for `kept`; every field of it, also one that is added later."""
    return msgspec.json.encode(_with_facts(proven, _written))


def kept(data: bytes) -> Proven:
    """What was kept."""
    return _with_facts(msgspec.json.decode(data, type=Proven), _read)


def machine_of(proven: Proven | None) -> dict[str, bytes]:
    """What evidence proved of the machine: the registers that policies of principals can pin.

    Nothing where no hardware proved anything, or nothing that measures a machine.
    """
    bank = None if proven is None else REGISTER_BANKS.get(proven.kind.value)
    if proven is None or bank is None:
        return {}
    measured = proven.measurements
    return {name: measured[name] for name in bank.names if name in measured}


def keep_machine(machine: Mapping[str, bytes]) -> bytes | None:
    """`machine`, for `kept_machine`."""
    return msgspec.json.encode(machine) if machine else None


def kept_machine(data: bytes | None) -> dict[str, bytes]:
    """What was kept; nothing of who enrolled before it was."""
    return {} if data is None else msgspec.json.decode(data, type=dict[str, bytes])


def _with_facts(proven: Proven, change: Callable[[Fact], Fact]) -> Proven:
    return replace(
        proven,
        facts={name: change(value) for name, value in proven.facts.items()},
        parts={name: _with_facts(part, change) for name, part in proven.parts.items()},
    )


def _written(value: Fact) -> str:
    """With what it is in front: JSON bounds numbers, and does not know which are shown in hex."""
    if isinstance(value, str):
        return f"{_TEXT} {value}"
    if isinstance(value, HexNumber):
        return f"{_HEX}{value.digits} {int(value)}"
    return f"{_NUMBER} {int(value)}"


def _read(value: Fact) -> Fact:
    what, _, content = str(value).partition(" ")
    if what == _TEXT:
        return content
    if what == _NUMBER:
        return int(content)
    return HexNumber(int(content), digits=int(what.removeprefix(_HEX)))
