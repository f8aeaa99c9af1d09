"""The cases a program is tested on, each a TOML file: what it is given, and what it should do.

    inputs = [{ type = "Vec<u64>", value = [1, 2, 3] }, { file = "other.dat" }]
    result = { type = "u64", value = 6 }

Or `code = -4` in place of the result; or `[[rounds]]`, each with `streams` and `result` or `code`.
`docs/reference/case-files.md` has every key.
"""

import json
import math
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from sdk.errors import ProjectError
from sdk.examples import named_types
from veracruz_utils.encoding import pinecone
from veracruz_utils.encoding.errors import PineconeError, TypeExpressionError
from veracruz_utils.frozen import frozen

MOST_CASE_BYTES: Final = 16 * 1024 * 1024
MOST_FILE_BYTES: Final = 256 * 1024 * 1024
ROUND_KEYS: Final = frozenset({"streams", "result", "code"})
CASE_KEYS: Final = frozenset({"inputs", "rounds", "tolerance"}) | ROUND_KEYS
PLACE_KEYS: Final = frozenset({"from", "name"})
_MOST_CODE: Final = 2**31


@frozen
class Datum:
    """Bytes that a case gives.

    Attributes:
        data: the bytes.
        kind: the type that they encode, if the case names one.
        expression: that type, as the case has it.
        file: the name of the file that they are from, as the case has it.
        readable: they were given as text or as a file, and are shown as text if they are some.
        party: who gives such an input, if the case says so.
        label: what such an input is called, if the case says so.
    """

    data: bytes
    kind: pinecone.TypeKind | None = None
    expression: str | None = None
    file: str | None = None
    readable: bool = False
    party: str | None = None
    label: str | None = None


@frozen
class CaseRound:
    """What one round is given and should do; a `result` of None is no result.

    Attributes:
        streams: its stream inputs.
        result: what it should write; None for nothing.
        code: what it should return.
        stated: whether the case says either.
    """

    streams: tuple[Datum, ...]
    result: Datum | None
    code: int
    stated: bool


@frozen
class ProjectCase:
    """One case: its file, what the program is given, and what every round should do."""

    path: Path
    inputs: tuple[Datum, ...]
    rounds: tuple[CaseRound, ...]
    tolerance: float

    @property
    def name(self) -> str:
        """What it is called: its file, without the ending."""
        return self.path.stem


def read_cases(folder: Path) -> tuple[ProjectCase, ...]:
    """The cases of the TOML files in a folder, by name.

    Raises:
        ProjectError: there is no case, or one is malformed.
    """
    found = tuple(read_case(path) for path in sorted(folder.glob("*.toml")))
    if not found:
        raise ProjectError(f"no cases found: {folder} has no file that ends in .toml")
    return found


def read_case(path: Path) -> ProjectCase:
    """The case in a file.

    Raises:
        ProjectError: it cannot be read, or is malformed.
    """
    try:
        said = tomllib.loads(_read(path, MOST_CASE_BYTES).decode())
        _known(said, CASE_KEYS)
        return ProjectCase(
            path,
            _data(said.get("inputs", []), path.parent),
            tuple(_round(each, path.parent) for each in _rounds(said)),
            _tolerance(said.get("tolerance", 0)),
        )
    except UnicodeDecodeError:
        raise ProjectError(f"{path} is not UTF-8") from None
    except OSError as error:
        raise ProjectError(f"{path}: cannot read {error.filename}: {error.strerror}") from None
    except (PineconeError, TypeExpressionError, TypeError, ValueError, RecursionError) as error:
        raise ProjectError(f"{path}: {error}") from None


def _rounds(said: Mapping[str, Any]) -> list[Any]:
    own = ROUND_KEYS & said.keys()
    if "rounds" not in said:
        return [{key: said[key] for key in own}]
    rounds = said["rounds"]
    if own:
        raise ValueError(
            f"{min(own)!r} stands beside rounds: it belongs into one of [[rounds]], or there are "
            "no rounds"
        )
    if not isinstance(rounds, list) or not rounds:
        raise ValueError(f"rounds is {rounds!r:.80}, expected [[rounds]], once for each")
    return rounds


def _round(said: object, folder: Path) -> CaseRound:
    if not isinstance(said, dict):
        raise ValueError(f"a round is {said!r:.80}, expected its keys in braces")  # noqa: TRY004 - as the others
    _known(said, ROUND_KEYS)
    if "result" in said and "code" in said:
        raise ValueError("a round may have a result or a code, not both")
    result = _datum(said["result"], folder) if "result" in said else None
    stated = "result" in said or "code" in said
    return CaseRound(
        _data(said.get("streams", []), folder), result, _code(said.get("code", 0)), stated
    )


def _code(said: object) -> int:
    if not isinstance(said, int) or isinstance(said, bool) or not -_MOST_CODE <= said < _MOST_CODE:
        raise ValueError(f"code is {said!r:.80}, expected a whole number of 32 bits")
    return said


def _tolerance(said: object) -> float:
    is_number = isinstance(said, int | float) and not isinstance(said, bool)
    if not is_number or not math.isfinite(said) or said < 0:  # type: ignore[arg-type, operator]
        raise ValueError(f"tolerance is {said!r:.80}, expected a number from 0 on")
    return float(said)  # type: ignore[arg-type]


def _data(said: object, folder: Path) -> tuple[Datum, ...]:
    if not isinstance(said, list):
        raise ValueError(f"expected a list of data, each in braces, got {said!r:.80}")  # noqa: TRY004 - as the others
    return tuple(_place(each, folder) for each in said)


def _place(said: object, folder: Path) -> Datum:
    """A datum of an input or a stream, which may say whose it is and what it is called."""
    if not isinstance(said, dict):
        return _datum(said, folder)
    own = {key: value for key, value in said.items() if key not in PLACE_KEYS}
    party, label = (_name(said, key) for key in ("from", "name"))
    found = _datum(own, folder)
    return Datum(found.data, found.kind, found.expression, found.file, found.readable, party, label)


def _name(said: Mapping[str, Any], key: str) -> str | None:
    found = said.get(key)
    if found is not None and (not isinstance(found, str) or not found):
        raise ValueError(f"{key} is {found!r:.80}, expected a name")
    return found


def _datum(said: object, folder: Path) -> Datum:
    match said:
        case {"type": str(expression), "value": value, **rest} if not rest:
            kind = named_types.resolve(expression)
            data = pinecone.encode_from_json(kind, json.dumps(value, default=_no_json).encode())
            return Datum(data, kind, expression)
        case {"type": str(expression), "hex": str(digits), **rest} if not rest:
            return Datum(_from_hex(digits), named_types.resolve(expression), expression)
        case {"type": str(expression), "file": str(name), **rest} if not rest:
            kind = named_types.resolve(expression)
            return Datum(_read(folder / name, MOST_FILE_BYTES), kind, expression, name)
        case {"text": str(text), **rest} if not rest:
            return Datum(text.encode(), readable=True)
        case {"hex": str(digits), **rest} if not rest:
            return Datum(_from_hex(digits))
        case {"file": str(name), **rest} if not rest:
            return Datum(_read(folder / name, MOST_FILE_BYTES), file=name, readable=True)
    raise ValueError(
        "expected a type and its value or hex or file, or one of text, hex and file alone, "
        f"got {said!r:.80}"
    )


def _no_json(value: object) -> str:
    raise ValueError(f"a value is {value!s:.80}, a {type(value).__name__}: write it as text")


def _from_hex(digits: str) -> bytes:
    try:
        return bytes.fromhex(digits)
    except ValueError:
        raise ValueError(
            f"{digits[:80]!r} is not hexadecimal, with two digits for each byte"
        ) from None


def _read(path: Path, limit: int) -> bytes:
    with path.open("rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise ValueError(f"{path.name} has more than {limit} bytes, the most that a case can take")
    return data


def _known(said: Mapping[str, Any], keys: frozenset[str]) -> None:
    if unknown := sorted(said.keys() - keys):
        raise ValueError(f"unknown key {unknown[0]!r}; the keys are {', '.join(sorted(keys))}")
