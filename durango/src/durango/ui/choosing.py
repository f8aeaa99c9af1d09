"""A file that was chosen in the browser: what it is, and whether it is what the policy asks for.

It is in memory and stays there, for it may be a secret. Nothing of it leaves before whoever chose
it was shown what it is taken for.
"""

from dataclasses import replace
from pathlib import PurePath
from typing import BinaryIO, Final, TypeAlias

from colima.runtime import ContentKind
from durango.content import MAX_SPOOL_BYTES, UploadContent
from durango.errors import WrongInputError
from durango.input_files import check_input, encoded, names_columns, text_form
from durango.input_places import PlaceOfInput, place_of
from durango.rights import require_place, require_program, require_sender, require_size
from durango.ui.results import Shown, shown
from durango.ui.seat import Seat
from durango.ui.texts import N_
from veracruz_utils.digest import Digest
from veracruz_utils.encoding.files import form_of
from veracruz_utils.encoding.rows.reading import Reading
from veracruz_utils.encoding.sql_tables import is_table
from veracruz_utils.frozen import frozen
from veracruz_utils.policy import Policy

Spot: TypeAlias = tuple[ContentKind, int]
"""Program, data or stream, and the number among this principal's of that kind."""
DELIMITERS: Final = {N_("comma"): ",", N_("semicolon"): ";", N_("tab"): "\t"}
ENCODINGS: Final = ("utf-8", "cp1252", "utf-16")
_WORDS: Final = {"csv": "CSV", "json": "JSON", "jsonl": "JSON Lines"}
_LOOKED_AT_BYTES: Final = 64 * 1024
_MAX_PREVIEW_BYTES: Final = 16 * 1024 * 1024
_PREVIEW_ROWS: Final = 5


@frozen
class Parcel:
    """A file that may be sent as it is here.

    Attributes:
        kind: program, data or stream.
        package: its number among this principal's of that kind.
        name: what the file is called on the principal's machine.
        content: what is sent.
        digest: of that.
        preview: the first of its values, if its place has a type and it is not large.
        read_as: what the file was, if it was encoded for its place; `CSV` and the like.
        header: whether its first row was taken for the names of columns.
    """

    kind: ContentKind
    package: int
    name: str
    content: UploadContent
    digest: Digest
    preview: Shown | None = None
    read_as: str | None = None
    header: bool = False


@frozen
class HowToRead:
    """What whoever chose a file says of its text, where it is CSV."""

    delimiter: str = "comma"
    decimal_comma: bool = False
    encoding: str = "utf-8"

    @property
    def reading(self) -> Reading:
        """The same for those who read it.

        Raises:
            EncodingError: it cannot be read so.
        """
        return Reading(
            delimiter=DELIMITERS.get(self.delimiter, ","),
            decimal_comma=self.decimal_comma,
            encoding=self.encoding if self.encoding in ENCODINGS else "utf-8",
        )


def most_bytes(policy: Policy) -> int:
    """The most that is taken of any file: what the policy allows, and what memory should hold."""
    limits = policy.limits
    return min(max(limits.program_bytes, limits.input_bytes), MAX_SPOOL_BYTES)


def parcel_of(seat: Seat, spot: Spot, file: BinaryIO, *, name: str, how: HowToRead) -> Parcel:
    """The file, held against what the policy says of its place.

    Args:
        seat: who chose it.
        spot: where it goes.
        file: its bytes, in memory.
        name: what it is called.
        how: how it is read if it is text and the place takes values.

    Raises:
        RefusedError: not this principal's to send, no place for it, too large, or not of the type.
        EncodingError: it cannot be read so.
    """
    kind, package = spot
    content = UploadContent(file, name=name)
    require_sender(seat.policy, seat.member, kind)
    if kind is ContentKind.PROGRAM:
        require_size(content, seat.policy.limits.program_bytes, "program_bytes")
        require_program(content, seat.policy)
        return Parcel(kind, 0, name, content, seat.policy.program_digest)
    require_place(seat.policy, seat.member, kind, package)
    place = place_of(seat.policy, seat.member, kind, package)
    require_size(content, seat.policy.limits.input_bytes, "input_bytes")
    try:
        check_input(content, place, seat.policy)
    except WrongInputError as error:
        if error.form is None and form_of(name) is None:
            raise
        return _encoded(seat, spot, place, content, how)
    return Parcel(kind, package, name, content, content.digest(), _preview(content, place))


def _encoded(
    seat: Seat, spot: Spot, place: PlaceOfInput, given: UploadContent, how: HowToRead
) -> Parcel:
    assert place.kind is not None
    form = form_of(given.name) or text_form(given, place.kind) or "json"
    if given.name.lower().endswith(".tsv"):
        how = replace(how, delimiter="tab")
    reading = how.reading
    if form == "csv" and _has_header(given, place, reading):
        reading = replace(reading, header=True)
    if is_table(place.kind):
        reading = replace(reading, table=PurePath(given.name).stem)
    made = encoded(given, place, form, reading=reading)
    check_input(made, place, seat.policy)
    words = _WORDS.get(form, form.capitalize())
    preview = _preview(made, place)
    return Parcel(*spot, given.name, made, made.digest(), preview, words, reading.header)


def _preview(content: UploadContent, place: PlaceOfInput) -> Shown | None:
    if place.kind is None or content.size > _MAX_PREVIEW_BYTES:
        return None
    return shown(content.read(0, content.size), place.kind, most=_PREVIEW_ROWS)


def _has_header(given: UploadContent, place: PlaceOfInput, reading: Reading) -> bool:
    """Whether the first row names the columns, whatever stands between the cells."""
    assert place.kind is not None
    text = given.read(0, _LOOKED_AT_BYTES).decode(reading.codec, errors="ignore")
    first = text.split("\n", 1)[0].replace(reading.delimiter, ",")
    return names_columns(f"{first}\n".encode(), place.kind)
