"""The cases a program is tested on, each a TOML file: what it is given, and what it should do.

    inputs = [{ type = "Vec<u64>", value = [1, 2, 3] }, { file = "other.dat" }]
    result = { type = "u64", value = 6 }

Or `code = -4` in place of the result; or `[[rounds]]`, each with `streams` and `result` or `code`.
A value without a type is `{ text = "..." }`, `{ hex = "00ff" }` or `{ file = "name" }`, next to the
case; `{ type = "f64", hex = "..." }` is an encoded one. `tolerance = 1e-9` is how far apart floats
may be.
"""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from execution_engine.code_cache import CodeCache
from execution_engine.errors import EngineError
from execution_engine.limits import EngineLimits
from execution_engine.program import Program
from execution_engine.run import RunInputs
from platform_services import LinuxRandomSource
from sdk.errors import ProjectError
from sdk.examples import named_types, same
from veracruz_utils.encoding import pinecone
from veracruz_utils.encoding.errors import PineconeError, TypeExpressionError
from veracruz_utils.policy import Strategy

RUN_SECONDS: Final = 60.0
_MOST_BYTES: Final = 16 * 1024 * 1024
_MOST_FILE_BYTES: Final = 256 * 1024 * 1024
_ROUND: Final = {"streams", "result", "code"}


@dataclass(frozen=True, slots=True)
class Datum:
    """Bytes, with the type they encode if they encode one."""

    data: bytes
    kind: pinecone.TypeKind | None = None

    def shown(self, data: bytes) -> str:
        """Other bytes as this datum would be shown."""
        if self.kind is not None:
            try:
                return pinecone.decode_to_json(self.kind, data)
            except PineconeError as error:
                return f"{data[:64].hex()} ({len(data)} bytes; not {self.kind}: {error})"
        return f"{data[:64].hex()} ({len(data)} bytes)"


@dataclass(frozen=True, slots=True)
class CaseRound:
    """What one round is given and should do; a `result` of None is no result."""

    streams: tuple[Datum, ...]
    result: Datum | None
    code: int


@dataclass(frozen=True, slots=True)
class ProjectCase:
    """One case: its name, what the program is given, and what every round should do."""

    name: str
    inputs: tuple[Datum, ...]
    rounds: tuple[CaseRound, ...]
    tolerance: float


def read_cases(folder: Path) -> tuple[ProjectCase, ...]:
    """The cases of the TOML files in a folder, by name.

    Raises:
        ProjectError: there is no case, or one is malformed.
    """
    found = tuple(_read_case(path) for path in sorted(folder.glob("*.toml")))
    if not found:
        raise ProjectError(f"no cases found: {folder} has no file that ends in .toml")
    return found


def _read_case(path: Path) -> ProjectCase:
    try:
        with path.open("rb") as file:
            said = tomllib.loads(file.read(_MOST_BYTES).decode())
        _known(said, {"inputs", "rounds", "tolerance"} | _ROUND)
        rounds = said.get("rounds", [{key: said[key] for key in _ROUND & said.keys()}])
        return ProjectCase(
            path.stem,
            _data(said.get("inputs", []), path.parent),
            tuple(_round(each, path.parent) for each in rounds),
            float(said.get("tolerance", 0)),
        )
    except UnicodeDecodeError:
        raise ProjectError(f"{path} is not UTF-8") from None
    except OSError as error:
        raise ProjectError(f"{path}: cannot read {error.filename}: {error.strerror}") from None
    except (PineconeError, TypeExpressionError, TypeError, ValueError) as error:
        raise ProjectError(f"{path}: {error}") from None


def _round(said: Mapping[str, Any], folder: Path) -> CaseRound:
    _known(said, _ROUND)
    if "result" in said and "code" in said:
        raise ValueError("a round may have a result or a code, not both")
    result = _datum(said["result"], folder) if "result" in said else None
    return CaseRound(_data(said.get("streams", []), folder), result, int(said.get("code", 0)))


def _data(said: object, folder: Path) -> tuple[Datum, ...]:
    if not isinstance(said, list):
        raise ValueError(f"expected a list of data, each in braces, got {said!r:.80}")  # noqa: TRY004 - as the others
    return tuple(_datum(each, folder) for each in said)


def _datum(said: Mapping[str, Any], folder: Path) -> Datum:
    match said:
        case {"type": str(expression), "value": value, **rest} if not rest:
            kind = named_types.resolve(expression)
            return Datum(pinecone.encode_from_json(kind, json.dumps(value).encode()), kind)
        case {"type": str(expression), "hex": str(digits), **rest} if not rest:
            return Datum(_from_hex(digits), named_types.resolve(expression))
        case {"text": str(text), **rest} if not rest:
            return Datum(text.encode())
        case {"hex": str(digits), **rest} if not rest:
            return Datum(_from_hex(digits))
        case {"file": str(name), **rest} if not rest:
            with folder.joinpath(name).open("rb") as file:
                return Datum(file.read(_MOST_FILE_BYTES))
    raise ValueError(
        f"expected a type and its value or hex, or text, hex or file, got {said!r:.80}"
    )


def _from_hex(digits: str) -> bytes:
    try:
        return bytes.fromhex(digits)
    except ValueError:
        raise ValueError(
            f"{digits[:80]!r} is not hexadecimal, with two digits for each byte"
        ) from None


def _known(said: Mapping[str, Any], keys: set[str]) -> None:
    if unknown := sorted(said.keys() - keys):
        raise ValueError(f"unknown key {unknown[0]!r}; the keys are {', '.join(sorted(keys))}")


def run_case(
    module: bytes,
    case: ProjectCase,
    *,
    strategy: Strategy,
    cache: CodeCache | None = None,
    seconds: float = RUN_SECONDS,
) -> tuple[list[str], object]:
    """Run a case; with a cache the module is compiled once for all of them.

    A round may run for so many seconds.

    Returns:
        What is wrong, in lines; and all that the program did, to compare strategies by.

    Raises:
        EngineError: the module is refused.
    """
    limits = EngineLimits(run_seconds=seconds)
    faults: list[str] = []
    did: list[object] = []
    previous: bytes | None = None
    with Program.load(module, strategy=strategy, limits=limits, cache=cache) as program:
        for number, each in enumerate(case.rounds, 1):
            inputs = RunInputs(
                inputs=[datum.data for datum in case.inputs],
                streams=[datum.data for datum in each.streams],
                previous_result=previous,
            )
            try:
                outcome = program.run(inputs, random=LinuxRandomSource())
            except EngineError as error:
                return [*faults, f"round {number}: {error}"], [*did, type(error).__name__]
            did.append((outcome.return_code, outcome.output))
            previous = outcome.output or b""
            faults += [
                f"round {number}: {fault}"
                for fault in _faults(each, outcome.return_code, outcome.output, case.tolerance)
            ]
    return faults, did


def _faults(each: CaseRound, code: int, output: bytes | None, tolerance: float) -> list[str]:
    if code != each.code:
        return [f"code {code}, expected {each.code}"]
    expected = each.result
    if expected is None:
        return [] if output is None else [f"a result of {len(output)} bytes, expected none"]
    if output is None:
        return ["no result", f"expected {expected.shown(expected.data)}"]
    if _is_right(expected, output, tolerance):
        return []
    return [f"result   {expected.shown(output)}", f"expected {expected.shown(expected.data)}"]


def _is_right(expected: Datum, output: bytes, tolerance: float) -> bool:
    if output == expected.data or expected.kind is None:
        return output == expected.data
    try:
        found = pinecone.decode(expected.kind, output)
    except PineconeError:
        return False
    right = pinecone.decode(expected.kind, expected.data)
    return same(expected.kind, found, right, tolerance=tolerance)
