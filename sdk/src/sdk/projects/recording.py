"""Writes into a case what the program did there.

The file is changed in one line for each round, and read again before it is written: it must then
say what it said before, and what was recorded. Comments and everything else stay as they are.
"""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

from execution_engine.message import is_plain
from sdk.errors import ProjectError
from sdk.examples import named_types
from sdk.projects.case_run import RoundSeen, is_right
from sdk.projects.cases import MOST_CASE_BYTES, CaseRound, ProjectCase
from veracruz_shells.files import NewFile, read_file, write_new_file, write_new_files
from veracruz_utils.encoding import pinecone
from veracruz_utils.encoding.errors import PineconeError

_MOST_IN_LINE: Final = 4096
_MOST_SHOWN: Final = 160
_MOST_TRIED: Final = 1000
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
_EXPECTATION: Final = re.compile(r"\s*(?:result|code)\s*=")
_NOTHING: Final = re.compile(r"\s*(?:#.*)?\s*")
_HEADER: Final = re.compile(r"\s*\[")


def record(
    case: ProjectCase, seen: Sequence[RoundSeen], *, expression: str | None, force: bool
) -> list[str]:
    """Write into a case what the program did, where the case does not say what it should do.

    Args:
        case: the case, as it was read from its file.
        seen: what the program did in its rounds, alike by both strategies.
        expression: the type of results, where the case names none.
        force: also where the case says something else, which is lost.

    Returns:
        What was recorded, in lines; none if all is as the case says.

    Raises:
        ProjectError: the program did not return, the case says something else (without `force`),
            or its file is written in a way that this cannot change.
    """
    path = case.path
    changes: dict[int, dict[str, Any]] = {}
    contents: list[NewFile] = []
    told: list[str] = []
    for index, (due, done) in enumerate(zip(case.rounds, seen, strict=False)):
        if done.code is None:
            raise ProjectError(f"{path}: round {index + 1} did not return: {done.error}")
        if _is_said(due, done, case.tolerance):
            continue
        if due.stated and not force:
            raise ProjectError(
                f"{path}: round {index + 1} says what it should do, and the program did something "
                "else: --force records that in its place"
            )
        change, file = _expectation(case, index, due, done, expression)
        if change == {"result": None}:
            told.append(f"round {index + 1}: no result: removed what the case said")
        else:
            (key, value), *_ = change.items()
            told.append(f"round {index + 1}: {key} = {_shortened(_toml(value))}")
        if file is not None:
            contents.append(file)
            told.append(f"  {file.path.name}: {len(file.data)} bytes")
        if file is None or not _names_file(due, file.path):
            changes[index] = change
    text = _changed(path, changes) if changes else None
    write_new_files(*contents, force=force)
    if text is not None:
        write_new_file(path, text.encode(), mode=path.stat().st_mode & 0o777, force=True)
    return told


def _is_said(due: CaseRound, done: RoundSeen, tolerance: float) -> bool:
    """Whether a case says already what the program did; a silent round is one that said nothing."""
    if done.code != due.code:
        return False
    if done.output is None or done.code:
        return due.result is None
    return due.result is not None and is_right(due.result, done.output, tolerance)


def _names_file(due: CaseRound, path: Path) -> bool:
    return due.result is not None and due.result.file == path.name


def _expectation(
    case: ProjectCase, index: int, due: CaseRound, done: RoundSeen, expression: str | None
) -> tuple[dict[str, Any], NewFile | None]:
    """The key and the value that say what the program did, and a file that the value names."""
    if done.code:
        return {"code": done.code}, None
    if done.output is None:
        return {"result": None}, None
    output, before = done.output, due.result
    typed = expression
    if before is not None and before.expression is not None:
        typed = before.expression
    if before is not None and before.file is not None:
        if before.file in {each.file for each in (*case.inputs, *due.streams)}:
            raise ProjectError(
                f"{case.path}: the result is in {before.file}, which is an input as well: name "
                "another file"
            )
        _check_own(case, before.file)
        kept = {"file": before.file} if typed is None else {"type": typed, "file": before.file}
        return {"result": kept}, NewFile(case.path.parent / before.file, output, 0o644)
    if typed is not None:
        value = _typed(case.path, typed, output)
    elif (text := _text(output)) is not None:
        value = {"text": text}
    else:
        value = {"hex": output.hex()}
    if len(output) <= _MOST_IN_LINE:
        return {"result": value}, None
    name = f"{case.name}.round{index + 1}.result" if len(case.rounds) > 1 else f"{case.name}.result"
    value = {"file": name} if typed is None else {"type": typed, "file": name}
    return {"result": value}, NewFile(case.path.parent / name, output, 0o644)


def _check_own(case: ProjectCase, name: str) -> None:
    """Refuse to write where a case, which may be somebody else's, has no business."""
    project = case.path.parent.parent
    if not (case.path.parent / name).resolve().is_relative_to(project.resolve()):
        raise ProjectError(
            f"{case.path}: the result is in {name}, outside of the project's folder: name a file "
            "inside"
        )


def _typed(path: Path, expression: str, output: bytes) -> dict[str, Any]:
    kind = named_types.resolve(expression)
    try:
        value = json.loads(pinecone.decode_to_json(kind, output))
        again = pinecone.encode(kind, tomllib.loads(f"value = {_toml(value)}")["value"])
    except PineconeError as error:
        raise ProjectError(f"{path}: the result is not {expression[:80]}: {error}") from None
    except ValueError:  # it has an absent value, which TOML cannot say
        again = None
    if again != output:
        return {"type": expression, "hex": output.hex()}
    return {"type": expression, "value": value}


def _text(output: bytes) -> str | None:
    try:
        text = output.decode()
    except UnicodeDecodeError:
        return None
    return text if text and is_plain(text) else None


def _changed(path: Path, changes: Mapping[int, Mapping[str, Any]]) -> str:
    """The text of a case with what is to be recorded.

    Raises:
        ProjectError: it is not written in lines that this can change.
    """
    text = read_file(path, limit=MOST_CASE_BYTES, what="case").decode()
    for index, change in changes.items():
        wanted = _with(tomllib.loads(text), index, change)
        for candidate in islice(_candidates(text, _lines_of(change)), _MOST_TRIED):
            if _says(candidate, wanted):
                text = candidate
                break
        else:
            lines = "; ".join(_lines_of(change)) or "no result and no code"
            raise ProjectError(
                f"{path}: round {index + 1} cannot be changed by itself, as its keys are not in "
                f"lines of their own: write {_shortened(lines)}"
            )
    return text


def _lines_of(change: Mapping[str, Any]) -> list[str]:
    return [f"{key} = {_toml(value)}" for key, value in change.items() if value is not None]


def _with(said: dict[str, Any], index: int, change: Mapping[str, Any]) -> dict[str, Any]:
    """What a case says, with a change in one round."""
    rounds = said.get("rounds")
    one = said if rounds is None else rounds[index]
    one.pop("result", None)
    one.pop("code", None)
    one.update({key: value for key, value in change.items() if value is not None})
    return said


def _candidates(text: str, new: Sequence[str]) -> Iterator[str]:
    """The text with the new line in place of an old one; else in a round, or before all tables.

    The first that says what is wanted, and nothing else, is the right one.
    """
    lines = text.splitlines(keepends=True)
    end = "\r\n" if text.endswith("\r\n") else "\n"
    added = [each + end for each in new]
    for at, line in enumerate(lines):
        if _EXPECTATION.match(line):
            yield "".join([*lines[:at], *added, *lines[at + 1 :]])
    headers = [at for at, line in enumerate(lines) if _HEADER.match(line)]
    for at in headers:
        if "rounds" in lines[at]:
            # At the end of the round, so that it stands after its streams.
            last = next((other for other in headers if other > at), len(lines))
            while last > at + 1 and _NOTHING.fullmatch(lines[last - 1]):
                last -= 1
            yield "".join([*_ended(lines[:last], end), *added, *lines[last:]])
            yield "".join([*_ended(lines[: at + 1], end), *added, *lines[at + 1 :]])
    yield "".join([*_ended(lines, end), *added])
    for at in headers[:1]:
        yield "".join([*lines[:at], *added, *lines[at:]])
    yield "".join([*added, *lines])


def _ended(lines: list[str], end: str) -> list[str]:
    if lines and not lines[-1].endswith("\n"):
        return [*lines[:-1], lines[-1] + end]
    return lines


def _says(text: str, wanted: Mapping[str, Any]) -> bool:
    try:
        return _canonical(tomllib.loads(text)) == _canonical(wanted)
    except tomllib.TOMLDecodeError:
        return False


def _canonical(value: Mapping[str, Any]) -> str:
    """A text that two values share if they are equal, and their numbers of one kind."""
    return json.dumps(value, sort_keys=True, default=repr)


def _toml(value: Any) -> str:  # noqa: ANN401 - what JSON holds
    """A value of JSON in TOML.

    Raises:
        ValueError: it is an absent value.
    """
    if value is None:
        raise ValueError("TOML has no absent value")
    if isinstance(value, dict):
        inner = ", ".join(f"{_key(key)} = {_toml(each)}" for key, each in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    text = json.dumps(value, ensure_ascii=False)
    return text.replace("\x7f", "\\u007f") if isinstance(value, str) else text


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _toml(key)


def _shortened(text: str) -> str:
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."
