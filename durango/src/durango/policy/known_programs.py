"""Programs that are known here by their digest: those shipped with the SDK."""

import json
from collections.abc import Mapping
from dataclasses import field
from functools import cache
from importlib import resources

from veracruz_utils.digest import Digest
from veracruz_utils.frozen import frozen


@frozen
class KnownProgram:
    """What its authors say of a program.

    Attributes:
        name: as `veracruz-sdk examples` lists it.
        summary: one line.
        learns: for each kind of party, what it learns by taking part.
        codes: its return codes other than 0, each with its reason.
        result: the type of its result; None if it is not encoded or there is none.
        inputs: the types of the inputs it reads; `opaque` is any. Some read any number of them.
        streams: likewise.
    """

    name: str
    summary: str
    learns: Mapping[str, str] = field(repr=False)
    codes: Mapping[int, str] = field(repr=False)
    result: str | None
    inputs: tuple[str, ...] = ()
    streams: tuple[str, ...] = ()


def known_program(digest: Digest) -> KnownProgram | None:
    """The program with this SHA-256, if it is one of those shipped."""
    return _known().get(str(digest))


@cache
def _known() -> dict[str, KnownProgram]:
    text = resources.files("durango.policy").joinpath("known_programs.json").read_text("utf-8")
    return {
        digest: KnownProgram(
            name=said["name"],
            summary=said["summary"],
            learns=said["learns"],
            codes={int(code): reason for code, reason in said["codes"].items()},
            result=said["result"],
            inputs=tuple(said["inputs"]),
            streams=tuple(said["streams"]),
        )
        for digest, said in json.loads(text).items()
    }
