"""Registers of machines as they are written in TOML, in a policy's source or a file of their own.

`sonora machine measure IMAGE --policy` writes such a file: a table `[machine.PLATFORM]` for each
platform, with the values of each register in hexadecimal digits.
"""

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import msgspec

from durango._words import printable
from durango.policy.hands import Held
from durango.policy.source import SourceError
from veracruz_shells.files import read_file
from veracruz_utils.policy import AcceptedPlatform, PinnedRegister, Policy

_MAX_FILE_BYTES: Final = 64 * 1024
_HOW: Final = "write it with `sonora machine measure IMAGE --policy`"


class _MachineFile(msgspec.Struct, forbid_unknown_fields=True):
    machine: dict[str, dict[str, list[str]]]


def pinned_registers(said: Mapping[str, Sequence[str]]) -> tuple[PinnedRegister, ...]:
    """Registers by their names; whether a platform has them is for the policy's reader.

    Raises:
        SourceError: a value is not hexadecimal digits.
    """
    return tuple(PinnedRegister(name, frozenset(_values(name, said[name]))) for name in said)


def read_machines(path: Path) -> dict[str, tuple[PinnedRegister, ...]]:
    """The registers in a file, by platform.

    Raises:
        SourceError: it is no such file; the message names it and the place.
        VeracruzError: it cannot be read.
    """
    data = read_file(path, limit=_MAX_FILE_BYTES, what="machine measurements")
    try:
        said = msgspec.convert(tomllib.loads(data.decode()), _MachineFile)
        return {name: pinned_registers(table) for name, table in said.machine.items()}
    except UnicodeDecodeError as error:
        raise SourceError(f"{path}: is not UTF-8 at byte {error.start}: {_HOW}") from None
    except msgspec.ValidationError as error:
        raise SourceError(f"{path}: {printable(str(error))}: {_HOW}") from None
    except (ValueError, RecursionError) as error:  # an integer of thousands of digits as well
        raise SourceError(f"{path}: is not TOML: {printable(str(error))}: {_HOW}") from None
    except SourceError as error:
        raise SourceError(f"{path}: machine: {error}") from None


def with_machines(
    platforms: Sequence[AcceptedPlatform],
    machines: Mapping[str, tuple[PinnedRegister, ...]],
    *,
    path: Path,
) -> list[AcceptedPlatform]:
    """The platforms, each with the registers that the file pins for it.

    Raises:
        SourceError: the file says nothing of any of them.
    """
    if not any(each.name in machines for each in platforms):
        names = ", ".join(each.name for each in platforms)
        told = printable(", ".join(machines)) or "no platform"
        raise SourceError(f"{path}: it measures machines for {told}, the policy accepts {names}")
    return [
        replace(each, machine=machines[each.name]) if each.name in machines else each
        for each in platforms
    ]


def hold_machine(policy: Policy, path: Path) -> Held:
    """Whether the policy names this machine: in each register that it pins, a value of it.

    Raises:
        SourceError: the file is none of measurements.
    """
    machines = read_machines(path)
    both = [each for each in policy.platforms if each.name in machines]
    if not both:
        names = ", ".join(each.name for each in policy.platforms)
        told = printable(", ".join(machines)) or "no platform"
        text = f"{path} measures machines for {told}, the policy accepts {names}"
        return Held("machine", text, fits=False)
    problems = [problem for each in both for problem in _unlike(each, machines[each.name])]
    if problems:
        return Held("machine", f"{path} is another machine: {'; '.join(problems)}", fits=False)
    named = [f"{each.name} by {', '.join(one.name for one in each.machine)}" for each in both]
    return Held(
        "machine", f"{path} is the machine that the policy names, on {', '.join(named)}", fits=True
    )


def _unlike(platform: AcceptedPlatform, measured: Sequence[PinnedRegister]) -> Iterator[str]:
    """In what a machine is not the one that the policy names."""
    found = {each.name: each.values for each in measured}
    if not platform.machine:
        yield f"the policy pins nothing on {platform.name}, so that any machine is accepted"
    for register in platform.machine:
        values = found.get(register.name, frozenset())
        if not values & register.values:
            told = _listed(values) or "nothing"
            yield (
                f"it has {told} in {register.name} of {platform.name}, the policy names "
                f"{_listed(register.values)}"
            )


def _listed(values: Iterable[bytes]) -> str:
    return " or ".join(sorted(value.hex() for value in values)[:8])


def _values(name: str, texts: Sequence[str]) -> list[bytes]:
    values = []
    for text in texts:
        try:
            values.append(bytes.fromhex(text))
        except ValueError:
            raise SourceError(
                f"{printable(name)}: {text[:80]!r} is not a value in hexadecimal digits"
            ) from None
    return values
