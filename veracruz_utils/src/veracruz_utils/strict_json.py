"""JSON, read strictly (RFC 8259, with the rules of RFC 7493); the one reader of the whole tree.

Refused is what lets two readers see two things in one text: a name twice in an object, NaN and
infinities, numbers beyond their bounds, anything after the value, text that is not Unicode. Whether
a number is an integer is for whoever takes it out of the value: `1.0` stays a float.
"""

import json
import math
import re
from enum import StrEnum, unique
from typing import Final, NoReturn, TypeAlias

from veracruz_utils.errors import VeracruzError

JsonValue: TypeAlias = dict[str, "JsonValue"] | list["JsonValue"] | str | int | float | bool | None
"""What `read_json` gives."""

_GONE: Final = object()
# A string is taken whole, to the end if it does not end: nothing is looked at twice.
_BRACKETS: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"?|([\[{])|([\]}])', re.DOTALL)


@unique
class JsonErrorCode(StrEnum):
    """Why a text is not read."""

    TOO_LARGE = "too-large"
    TOO_DEEP = "too-deep"
    NOT_UNICODE = "not-unicode"
    REPEATED_NAME = "repeated-name"
    MALFORMED = "malformed"


class JsonError(VeracruzError):
    """A text that is not read.

    Attributes:
        code: the reason, for programs.
        detail: the reason, for people; it reads on from the name of the text.
    """

    def __init__(self, code: JsonErrorCode, detail: str) -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail

    def __str__(self) -> str:
        return self.detail


def read_json(
    data: bytes, *, max_bytes: int, max_depth: int = 16, max_digits: int = 20, floats: bool = True
) -> JsonValue:
    """The one JSON value that `data`, in UTF-8, is the text of.

    Args:
        data: the text.
        max_bytes: its size.
        max_depth: arrays and objects inside one another; below 500.
        max_digits: of an integer; 2**64 has 20.
        floats: whether numbers with a fraction or an exponent are read.

    Raises:
        JsonError: `data` is anything else.
    """
    if len(data) > max_bytes:
        raise JsonError(
            JsonErrorCode.TOO_LARGE, f"has {len(data)} bytes, at most {max_bytes} are read"
        )
    # Before the parser: it recurses, and would give up at a depth that depends on its caller.
    _check_depth(data, max_depth)

    def integer(digits: str) -> int:
        if len(digits.lstrip("-")) > max_digits:  # reading them takes time by their square
            raise ValueError(f"an integer has {len(digits)} digits")
        return int(digits)

    try:
        value: JsonValue = json.loads(
            data.decode(),
            object_pairs_hook=_object,
            parse_int=integer,
            parse_float=_finite if floats else _refuse_fraction,
            parse_constant=_refuse_constant,
        )
    except UnicodeDecodeError as error:
        raise JsonError(JsonErrorCode.NOT_UNICODE, f"is not UTF-8 at byte {error.start}") from error
    except ValueError as error:
        raise JsonError(JsonErrorCode.MALFORMED, f"is not JSON: {str(error)[:120]}") from error
    if b"\\u" in data:  # half of a surrogate pair is text for the parser, and for nobody else
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            raise JsonError(JsonErrorCode.NOT_UNICODE, "has text that is not Unicode") from error
    return value


def _check_depth(data: bytes, max_depth: int) -> None:
    depth = 0
    for match in _BRACKETS.finditer(data):
        depth += bool(match[1]) - bool(match[2])
        if depth > max_depth:
            raise JsonError(JsonErrorCode.TOO_DEEP, f"is nested deeper than {max_depth}")


def _object(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    members = dict(pairs)
    if len(members) != len(pairs):
        for name, _ in pairs:
            if members.pop(name, _GONE) is _GONE:
                raise JsonError(
                    JsonErrorCode.REPEATED_NAME, f"has {name[:80]!r} twice in one object"
                )
    return members


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:32]} is beyond f64")
    return number


def _refuse_fraction(text: str) -> NoReturn:
    raise ValueError(f"{text[:32]} is not a whole number")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")
