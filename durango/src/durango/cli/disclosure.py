"""What a policy's inputs and result are, as it is written on a command line."""

import re
from collections.abc import Sequence
from typing import Final

import click

from durango.cli.terms import size_of

_TERM: Final = re.compile(r"([a-z_]+)=(.*)", re.DOTALL)
_PLACE_TERM: Final = re.compile(r"([0-9]{1,5})\.([a-z]+=.*)", re.DOTALL)
_INPUT_FIELDS: Final = ("name", "type", "bytes")
_RESULT_FIELDS: Final = ("type", "bytes", "contributors")
_PRIVACY_FIELDS: Final = (
    "mechanism", "epsilon", "delta", "total_epsilon", "total_delta", "sensitivity",
)  # fmt: skip
_NUMBERS: Final = ("bytes", "contributors")


def disclosure_terms(
    *,
    inputs: Sequence[str],
    streams: Sequence[str],
    result: Sequence[str],
    privacy: Sequence[str],
    data_order: Sequence[int],
    stream_order: Sequence[int],
) -> dict[str, object]:
    """The fields `inputs`, `streams` and `result` of a policy, as far as something is said.

    Args:
        inputs: words such as `0.type=u8`, for a place of the order of data.
        streams: likewise, for the order of streams.
        result: words such as `type=u8`.
        privacy: words such as `epsilon=0.5`.
        data_order: client ids.
        stream_order: client ids.
    """
    found: dict[str, object] = {}
    if inputs:
        found["inputs"] = _places(inputs, "--input", len(data_order))
    if streams:
        found["streams"] = _places(streams, "--stream", len(stream_order))
    of_result = _terms(result, "--result", _RESULT_FIELDS)
    if privacy:
        of_result["privacy"] = _terms(privacy, "--privacy", _PRIVACY_FIELDS)
    if of_result:
        found["result"] = of_result
    return found


def _places(words: Sequence[str], option: str, count: int) -> list[dict[str, object]]:
    given: list[list[str]] = [[] for _ in range(count)]
    for word in words:
        match = _PLACE_TERM.fullmatch(word)
        if match is None:
            raise click.UsageError(
                f"{option} {word[:80]!r} is not INDEX.FIELD=VALUE, such as 0.type=u8"
            )
        if int(match[1]) >= count:
            raise click.UsageError(
                f"{option} {word[:80]!r}: the order has {count} places, counted from 0"
            )
        given[int(match[1])].append(match[2])
    return [_terms(each, option, _INPUT_FIELDS) for each in given]


def _terms(words: Sequence[str], option: str, fields: Sequence[str]) -> dict[str, object]:
    found: dict[str, object] = {}
    for word in words:
        match = _TERM.fullmatch(word)
        if match is None or match[1] not in fields or match[1] in found:
            raise click.UsageError(
                f"{option} {word[:80]!r} is not FIELD=VALUE with a field given once of "
                f"{', '.join(fields)}"
            )
        found[match[1]] = size_of(match[2]) if match[1] in _NUMBERS else match[2]
    return found
