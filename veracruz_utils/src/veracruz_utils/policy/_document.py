"""JSON read strictly: bounded, no duplicates, no surprises, errors that say where."""

import json
import re
from typing import Final, NoReturn, TypeVar

import msgspec

from veracruz_utils.policy.errors import PolicyError, PolicyErrorCode

MAX_POLICY_BYTES: Final = 1 << 20
"""No policy is larger, in bytes."""

_MAX_DIGITS: Final = 20  # of an integer; 2**64 has that many
_SCHEMA_MESSAGE: Final = re.compile(r"(?P<what>.*?)(?: - at `(?P<path>\$.*)`)?", re.DOTALL)
_Shape = TypeVar("_Shape", bound=msgspec.Struct)

# A place in the document: its parent and the step from there; None is the root. Spelt out only for
# an error, since the paths of a hostile document could together be far larger than itself.
_Place = tuple["_Place", str | int] | None


class _Repeating(dict[str, object]):
    """A JSON object that has a name twice."""

    repeated: str = ""


def load_document(raw: bytes) -> dict[str, object]:
    """The JSON object that `raw` is the text of.

    Raises:
        PolicyError: too large, not UTF-8, not JSON, not an object, a name twice in one object.
    """
    if len(raw) > MAX_POLICY_BYTES:
        raise PolicyError(
            PolicyErrorCode.TOO_LARGE, f"has {len(raw)} bytes, at most {MAX_POLICY_BYTES} are read"
        )
    try:
        document: object = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_object,
            parse_constant=_refuse_constant,
            parse_int=_integer,
        )
    except RecursionError:
        raise _malformed("is nested too deeply") from None
    except UnicodeDecodeError as error:
        raise _malformed(f"is not UTF-8 at byte {error.start}") from error
    except ValueError as error:
        raise _malformed(f"is not JSON: {str(error)[:120]}") from error
    _check_names(document)
    if not isinstance(document, dict):
        raise _malformed("is not a JSON object")
    return document


def fit(document: dict[str, object], shape: type[_Shape]) -> _Shape:
    """`document` as a `shape`: every field there, of its type and in its range.

    Raises:
        PolicyError: it does not fit; the path says where.
    """
    try:
        return msgspec.convert(document, shape)
    except msgspec.ValidationError as error:
        raise _misfit(str(error)) from None


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) == len(pairs):
        return members
    repeating = _Repeating()
    for name, _ in pairs:
        if members.pop(name, _Repeating) is _Repeating:
            repeating.repeated = name
            break
    return repeating


def _integer(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise ValueError(f"an integer has {len(digits)} digits")
    return int(digits)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _check_names(document: object) -> None:
    """Refuse repeated names, and text that is no Unicode (half of a surrogate pair)."""
    pending: list[tuple[_Place, object]] = [(None, document)]
    while pending:
        place, value = pending.pop()
        if isinstance(value, _Repeating):
            raise PolicyError(
                PolicyErrorCode.DUPLICATE_FIELD,
                f"has {value.repeated[:80]!r} twice",
                path=_spell(place),
            )
        if isinstance(value, str):
            _check_text(value, place)
        elif isinstance(value, list):
            pending.extend(((place, index), item) for index, item in enumerate(value))
        elif isinstance(value, dict):
            for name, item in value.items():
                _check_text(name, place)
                pending.append(((place, name), item))


def _check_text(text: str, place: _Place) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise PolicyError(
            PolicyErrorCode.MALFORMED_JSON,
            f"{text[:80]!r} is not Unicode text",
            path=_spell(place),
        ) from None


def _spell(place: _Place) -> str:
    steps: list[str] = []
    while place is not None:
        place, step = place
        if isinstance(step, str):
            step = step[:40]
            steps.append(f".{step}" if step.isidentifier() and step.isascii() else f"[{step!r}]")
        else:
            steps.append(f"[{step}]")
    return "$" + "".join(reversed(steps[-8:])) + ("..." if len(steps) > 8 else "")


def _malformed(detail: str) -> PolicyError:
    return PolicyError(PolicyErrorCode.MALFORMED_JSON, detail)


def _misfit(message: str) -> PolicyError:
    """The error for msgspec's words, such as "Expected `int`, got `str` - at `$.limits.fuel`"."""
    parts = _SCHEMA_MESSAGE.fullmatch(message)
    what, path = (parts["what"], parts["path"]) if parts else (message, None)
    if what.startswith("Object contains unknown field"):
        code = PolicyErrorCode.UNKNOWN_FIELD
    elif what.startswith("Object missing required field"):
        code = PolicyErrorCode.MISSING_FIELD
    else:
        code = PolicyErrorCode.INVALID_VALUE
    printable = "".join(c if c.isprintable() else "?" for c in what[:160]).replace("`", "'")
    return PolicyError(code, printable[:1].lower() + printable[1:], path=path or "$")
