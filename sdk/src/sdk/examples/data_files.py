"""Files of data for an example, and its description."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Final

from sdk.examples import Case, Example, Input
from sdk.examples.of_2021 import DIFFERENCES
from veracruz_utils.encoding import kinds
from veracruz_utils.encoding.errors import TableError
from veracruz_utils.encoding.pinecone import TypeKind
from veracruz_utils.encoding.tables import decode_table

MAX_SIZE: Final = 2**20


def data_files(example: Example, case: Case) -> Iterator[tuple[str, bytes]]:
    """The files of a case: for each input its bytes, and a CSV twin where it is a table.

    They are named by labels, as `points.dat` and `points.csv`; those of streams end in the round's
    number, from 1.
    """
    for described, data in zip(example.inputs, case.inputs, strict=True):
        yield from _files(described.label, described, data)
    for number, streams in enumerate(case.rounds, 1):
        for described, data in zip(example.streams, streams, strict=True):
            yield f"{described.label}-{number}.dat", data


def _files(label: str, described: Input, data: bytes) -> Iterator[tuple[str, bytes]]:
    yield f"{label}.dat", data
    kind = described.kind
    if kind is None:
        return
    try:
        yield f"{label}.csv", decode_table(kind, data, header=_has_names(kind)).encode()
    except TableError:  # not a table
        return


def _has_names(kind: TypeKind) -> bool:
    return isinstance(kind, kinds.Sequence) and isinstance(kind.element, kinds.Struct)


def description(example: Example) -> Mapping[str, object]:
    """What is known of an example, as JSON has it."""
    return {
        "name": example.name,
        "summary": example.summary,
        "language": example.language,
        "inputs": [_described(each) for each in example.inputs],
        "streams": [_described(each) for each in example.streams],
        "result": "bytes" if example.result is None and example.check else example.result,
        "codes": {str(code): reason for code, reason in example.codes.items()},
        "original": DIFFERENCES.get(example.name),
    }


def _described(each: Input) -> dict[str, str]:
    return {"label": each.label, "type": each.expression or "bytes", "party": each.party}


def described(about: Mapping[str, object]) -> str:
    """The same for people."""
    told = {key: value for key, value in about.items() if key != "original" or value is not None}
    return "\n".join(f"{key:<10}{line}" for key, value in told.items() for line in _lines(value))


def _inputs(described: Sequence[Mapping[str, str]]) -> Iterator[str]:
    """A line for each input; one for several of the same type from parties of the same kind."""
    for (kind, party), alike in groupby(described, lambda each: (each["type"], each["party"])):
        labels = [each["label"] for each in alike]
        name = labels[0] if len(labels) == 1 else f"{labels[0]} to {labels[-1]}"
        yield f"{name}: {kind}, of the {party}"


def _lines(value: object) -> list[str]:
    if isinstance(value, list):
        return list(_inputs(value)) or ["none"]
    if isinstance(value, dict):
        return [f"{code}: {reason}" for code, reason in value.items()] or ["none"]
    return ["none" if value is None else str(value)]
