"""A policy as its author writes it, in TOML.

Principals have names, and what they may do follows from what the file says of them: who gives the
program, who gives an input, who reads the result. Certificates, keys and the program are named by
file, and files are looked for beside the TOML. docs/reference/policy-toml.md lists every field.
"""

import re
import tomllib
import unicodedata
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec

from durango._words import printable
from durango.errors import DurangoError
from veracruz_shells.files import read_file
from veracruz_utils.policy import OPAQUE, IsolationLayer, Mechanism, Role, Strategy

MAX_SOURCE_BYTES: Final = 1 << 20
_SIZE: Final = re.compile(r"([0-9]{1,19}) ?(KiB|MiB|GiB|)")
_FILES: Final = frozenset({"certificate", "file", "images", "key"})
_CHOICES: Final = {
    "isolation": IsolationLayer,
    "mechanism": Mechanism,
    "roles": Role,
    "strategy": Strategy,
}
_UNITS: Final = {"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}

Size = int | str
Who = str | list[str]


class SourceError(DurangoError):
    """A TOML file that is no policy."""


class _Strict(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    pass


class DelegateTable(_Strict):
    """Who runs the isolate: where its bridge listens."""

    sinaloa: str


class AttestationTable(_Strict):
    """Who vouches for the isolate: where it listens, and its result key, a file or PEM."""

    tabasco: str
    key: str | None = None


class ProgramTable(_Strict):
    """The program: a file or a digest; who provides it; how it runs."""

    provider: str = msgspec.field(name="from")
    file: str | None = None
    digest: str | None = None
    strategy: Strategy = Strategy.JIT
    debug: bool = False
    deterministic: bool = False


class PrincipalTable(_Strict):
    """A principal: its certificate, a file or PEM.

    `id` is its number in the policy, by default the place in the file, from 0. `roles` are what it
    may do besides what the rest of the file gives it.
    """

    certificate: str
    id: Annotated[int, msgspec.Meta(ge=0, le=0xFFFF_FFFF)] | None = None
    roles: list[Role] = []


class PlaceTable(_Strict):
    """One input, or one stream item of each round."""

    provider: str = msgspec.field(name="from")
    name: str = ""
    type: str = OPAQUE
    bytes: Size | None = None


class PrivacyTable(_Strict):
    """The noise that a result gets; numbers as text, so that they are exact."""

    mechanism: Mechanism
    epsilon: str
    total_epsilon: str
    sensitivity: str
    delta: str = "0"
    total_delta: str = "0"


class ResultTable(_Strict):
    """Who reads the result, of how many rounds each, and what may leave."""

    readers: list[str]
    per_reader: int | None = None
    type: str = OPAQUE
    bytes: Size | None = None
    contributors: int = 0
    privacy: PrivacyTable | None = None


class Least(_Strict):
    """So many of these."""

    least: int
    of: list[str]


class RoundsTable(_Strict):
    """How many rounds, how many attempts in each, and who agrees to another."""

    most: int | None = None
    attempts: int | None = None
    next: str | list[str] | Least | None = None


class PlatformTable(_Strict):
    """An accepted kind of isolate, the runtimes accepted on it, and the machines around them."""

    name: str
    measurements: list[str] = []
    releases: list[str] = []
    images: list[str] = []
    architecture: str | None = None
    machine: dict[str, list[str]] = {}


class PolicySource(_Strict):
    """The whole file.

    Attributes:
        expires: when it ends.
        days: or how many days after the day on which it is built; another day, another policy.
        principals: by name.
        inputs: in the order in which the program sees them.
        streams: likewise.
        limits: by name; sizes in bytes or as `64MiB`.
        isolation: the layers that must at least be in force; None is all that the runtime gives.
        folder: where files are looked for.
    """

    delegate: DelegateTable
    attestation: AttestationTable
    program: ProgramTable
    principals: dict[str, PrincipalTable]
    result: ResultTable
    platforms: list[PlatformTable]
    expires: datetime | None = None
    days: Annotated[int, msgspec.Meta(ge=1, le=3650)] | None = None
    inputs: list[PlaceTable] = []
    streams: list[PlaceTable] = []
    rounds: RoundsTable = msgspec.field(default_factory=RoundsTable)
    consent: str | list[str] | Least | None = None
    limits: dict[str, Size] = {}
    isolation: list[IsolationLayer] | None = None
    ciphersuite: str | None = None
    folder: str = "."

    def ends_at(self, now: datetime) -> datetime:
        """The moment it ends, in UTC, if it is built now."""
        if (self.expires is None) == (self.days is None):
            raise SourceError("give expires or days, and not both")
        if self.expires is None:
            midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
            return midnight + timedelta(days=1 + (self.days or 0))
        if self.expires.tzinfo is None:
            raise SourceError(
                f"expires: {self.expires.isoformat()} has no time zone: write it as "
                f"{self.expires.isoformat()}Z for UTC"
            )
        try:
            return self.expires.astimezone(UTC)
        except OverflowError:
            raise SourceError(f"expires: {self.expires.isoformat()} is no year of ours") from None


def read_source(path: Path) -> PolicySource:
    """The policy in a TOML file.

    Raises:
        SourceError: it is not TOML, or not a policy; the message names file and place.
        VeracruzError: the file cannot be read.
    """
    data = read_file(path, limit=MAX_SOURCE_BYTES, what="policy")
    try:
        return parse_source(data, folder=path.parent)
    except SourceError as error:
        raise SourceError(f"{path}: {error}") from None


def parse_source(data: bytes, *, folder: Path) -> PolicySource:
    """The policy that this text is.

    Args:
        data: TOML in UTF-8.
        folder: where the files that it names are looked for.

    Raises:
        SourceError: it is not TOML, or not a policy.
    """
    try:
        # Editors of Windows write a mark in front.
        said = _composed(tomllib.loads(data.decode("utf-8-sig")))
    except UnicodeDecodeError as error:
        raise SourceError(f"is not UTF-8 at byte {error.start}: save it as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        if data.lstrip().startswith(b"{"):
            raise SourceError(
                "is JSON, as policies are, and they are built of TOML: `durango policy convert "
                "--to toml` writes that"
            ) from None
        raise SourceError(f"is not TOML: {error}") from None
    except ValueError as error:  # an integer of thousands of digits
        raise SourceError(f"is not TOML: {str(error)[:120]}") from None
    except RecursionError:
        raise SourceError("has too many arrays or tables inside one another") from None
    if "folder" in said:
        raise SourceError("unknown field folder")
    if type(ends := said.get("expires")) is date:  # its beginning, in UTC
        said["expires"] = datetime(ends.year, ends.month, ends.day, tzinfo=UTC)
    try:
        return msgspec.convert({**said, "folder": str(folder)}, PolicySource)
    except msgspec.ValidationError as error:
        raise SourceError(_in_toml(str(error), said)) from None


def size_of(given: Size, *, what: str) -> int:
    """A number of bytes, or of what else a limit counts.

    Raises:
        SourceError: it is neither a number nor text such as `64MiB`.
    """
    if isinstance(given, bool):
        raise SourceError(f"{what}: {given!r} is not a size such as 1000 or 64MiB")
    if isinstance(given, int):
        return given
    match = _SIZE.fullmatch(given)
    if match is None:
        raise SourceError(f"{what}: {given[:40]!r} is not a size such as 1000 or 64MiB")
    return int(match[1]) * _UNITS[match[2]]


def _composed(said: dict[str, Any]) -> dict[str, Any]:
    """The same with names in Unicode's form NFC, whichever a keyboard or editor writes.

    Names of files stay as they are: to a file system each form is another name.
    """
    composed: dict[str, Any] = {}
    for key, value in said.items():
        name = unicodedata.normalize("NFC", key)
        if name in composed:
            raise SourceError(f"{printable(name)} is there twice")
        composed[name] = value if key in _FILES else _composed_value(value)
    return composed


def _composed_value(value: Any) -> Any:  # noqa: ANN401 - whatever TOML has
    match value:
        case str():
            return unicodedata.normalize("NFC", value)
        case list():
            return [_composed_value(each) for each in value]
        case dict():
            return _composed(value)
    return value


def _in_toml(message: str, said: Mapping[str, Any]) -> str:
    """Msgspec's words, with a place as TOML has it."""
    what, _, path = message.partition(" - at `$")
    path = _with_name(path.rstrip("`").lstrip("."), said)
    what = what.replace("`", "").replace("Object contains unknown field", "unknown field")
    what = what.replace("Object missing required field", "missing field")
    if what.startswith("Invalid enum value"):
        choices = _CHOICES[path.rpartition(".")[2].partition("[")[0]]
        what += f"; there are {', '.join(choices)}"
    known = "" if path else ", ".join(sorted({*PolicySource.__struct_fields__} - {"folder"}))
    what = "".join(each if each.isprintable() else "?" for each in what)
    hint = f"; the fields are {known}" if known and what.startswith("unknown") else ""
    field = what.removeprefix("unknown field ").strip("'")
    if path and what.startswith("unknown field") and field in PolicySource.__struct_fields__:
        hint = f": in TOML it stands above the first table, and not below [{path.split('[')[0]}]"
    return f"{path}: {what[:1].lower()}{what[1:]}{hint}" if path else f"{what}{hint}"


def _with_name(path: str, said: Mapping[str, Any]) -> str:
    """A place with the name of whose table it is in, for which msgspec has dots."""
    field, dots, rest = path.partition("[...]")
    if not dots:
        return path
    *_, last = steps = re.findall(r"\w+", field)
    kind = {"principals": PrincipalTable, "machine": list[str]}.get(last, Size)
    table: Any = said
    for step in steps:
        table = table[int(step) if step.isdigit() else step]
    for name, value in table.items():
        try:
            msgspec.convert(value, kind)
        except msgspec.ValidationError:
            return f"{field}.{printable(name)}{rest}"
    return path
