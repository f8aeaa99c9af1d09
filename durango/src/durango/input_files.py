"""A file held against what the policy says of its place, before any of it leaves; and encoding it.

Encoded data are checked in a walk along them, in constant memory unless the type has sets or maps.
What a file is encoded as is in memory, and nowhere else: it is a secret.
"""

import io
from typing import BinaryIO, Final, Literal, TypeAlias

from colima.runtime import ContentKind
from durango._words import printable
from durango.content import UploadContent
from durango.errors import NotAuthorisedError, WrongInputError
from durango.input_places import PlaceOfInput, places
from veracruz_utils.encoding import kinds
from veracruz_utils.encoding.csv_codec import read_rows
from veracruz_utils.encoding.errors import EncodingError, PineconeError, TableError
from veracruz_utils.encoding.files import Form, encode_file, refuse_spreadsheet
from veracruz_utils.encoding.rows.csv_rows import OnRows
from veracruz_utils.encoding.rows.faults import FaultyRowsError
from veracruz_utils.encoding.rows.reading import PLAIN, Reading
from veracruz_utils.encoding.walk import Walk
from veracruz_utils.encoding.wire import Window
from veracruz_utils.policy import Policy

MAX_TEXT_BYTES: Final = 256 * 1024 * 1024
"""The most of a file that is encoded."""

TextForm: TypeAlias = Literal["csv", "json"]

_WORDS: Final[dict[Form, str]] = {
    "csv": "CSV", "json": "JSON", "jsonl": "JSON Lines", "parquet": "Parquet", "arrow": "Arrow",
}  # fmt: skip
_LOOKED_AT_BYTES: Final = 64 * 1024
_MAX_OTHER_BYTES: Final = 16 * 1024 * 1024
_PARTS: Final = 4096


def check_input(content: UploadContent, place: PlaceOfInput, policy: Policy) -> None:
    """Accept content that is what the policy says of its place.

    Args:
        content: what is to be sent.
        place: where it goes.
        policy: whose other places may be what wrong content is for.

    Raises:
        NotAuthorisedError: it is too large.
        WrongInputError: it is not of the place's type.
    """
    most = place.terms.most_bytes
    if most is not None and content.size > most:
        raise NotAuthorisedError(
            f"{content.name} has {content.size} bytes, the policy allows {most} for {place.label}: "
            "send less, or agree on a policy that allows more"
        )
    if place.kind is None or content.known_as == place.terms.type:
        return
    try:
        _walk(content, place.kind)
    except PineconeError as error:
        raise _wrong(content, place, error, policy) from error
    content.known_as = place.terms.type


def encoded(
    content: UploadContent,
    place: PlaceOfInput,
    form: Form,
    *,
    reading: Reading = PLAIN,
    on_rows: OnRows = lambda _: None,
    file: BinaryIO | None = None,
) -> UploadContent:
    """Own data, encoded for their place.

    Args:
        content: the data.
        place: where they go.
        form: what they are.
        reading: how they are read.
        on_rows: is told now and then how many rows there are so far.
        file: the content as a file, if it is open already.

    Raises:
        WrongInputError: they do not fit the place's type, which the policy must say; with all rows
            that do not, up to a limit.
    """
    kind = place.kind
    if kind is None:
        raise WrongInputError(
            f"the policy says no type for {place.label}, so {content.name} cannot be encoded for "
            "it: encode it by `veracruz-sdk encode --type TYPE`, and send that"
        )
    if content.size > MAX_TEXT_BYTES:
        raise WrongInputError(
            f"{content.name} has {content.size} bytes, at most {MAX_TEXT_BYTES} are encoded here: "
            "encode it by `veracruz-sdk encode`, and send that"
        )
    made = io.BytesIO()
    try:
        encode_file(kind, file or content.open(), made, form, reading=reading, on_rows=on_rows)
    except EncodingError as error:
        read_as = f"read as {_WORDS[form]}, for {place.label}, {place.expected}"
        header = _about_header(content, kind, form, reading)
        if isinstance(error, FaultyRowsError) and len(error.faults) > 1:
            told = f"{error.in_file(content.name)}\n{read_as}"
        elif isinstance(error, FaultyRowsError):
            told = f"{error.in_file(content.name)}: {read_as}"
        else:
            told = f"{content.name}: {error}: {read_as}"
        raise WrongInputError(told + header) from error
    found = UploadContent(made, name=content.name)
    found.known_as = place.terms.type
    return found


def text_form(content: UploadContent, kind: kinds.TypeKind) -> TextForm | None:
    """Which form of text content seems to be in; None if it is no text."""
    head = content.read(0, _LOOKED_AT_BYTES)
    try:
        text = head.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if error.end < len(head) or error.start < len(head) - 3:  # a character may be cut
            return None
        text = head[: error.start].decode("utf-8-sig")
    if not text.strip() or not all(char.isprintable() or char in "\t\r\n" for char in text):
        return None
    if not isinstance(kind, kinds.Sequence) or text.lstrip()[0] in "[{":
        return "json"
    return "csv"


def names_columns(text: bytes, kind: kinds.TypeKind) -> bool:
    """Whether the first row of CSV is the names of the type's columns."""
    row = kind.element if isinstance(kind, kinds.Sequence) else None
    if not isinstance(row, kinds.Struct):
        return False
    try:
        first = next(read_rows(text), None)
    except TableError:
        return False
    return first is not None and sorted(first.cells) == sorted(name for name, _ in row.fields)


def _walk(content: UploadContent, kind: kinds.TypeKind) -> None:
    walk = Walk(kind, Window(content.size, content.read), distinct=True)
    while not walk.step(_PARTS):
        pass


def _wrong(
    content: UploadContent, place: PlaceOfInput, error: PineconeError, policy: Policy
) -> WrongInputError:
    assert place.kind is not None
    form = text_form(content, place.kind)
    if form is not None:
        head = content.read(0, _LOOKED_AT_BYTES)
        return WrongInputError(
            f"{content.name} is {_WORDS[form]}, and {place.label} takes {place.expected}: "
            "encode it first",
            form=_WORDS[form],
            header=form == "csv" and names_columns(head, place.kind),
        )
    return WrongInputError(
        f"{content.name} is not {place.label}, {place.expected}: byte {error.offset}, "
        f"{printable(str(error), most=300)}: {_remedy(content, policy)}"
    )


def _remedy(content: UploadContent, policy: Policy) -> str:
    """Where else the content would be right; or what to look at."""
    try:
        refuse_spreadsheet(content.read(0, _LOOKED_AT_BYTES))
    except TableError as error:
        return f"{error} with --encode"
    if content.size <= _MAX_OTHER_BYTES:
        for other in (*places(policy, ContentKind.DATA), *places(policy, ContentKind.STREAM)):
            if other.kind is not None and _is_of(content, other.kind):
                return f"it fits {other.label} of {other.owner}; send the right file"
    return "check that it is the right file, and encoded as this type"


def _is_of(content: UploadContent, kind: kinds.TypeKind) -> bool:
    try:
        _walk(content, kind)
    except PineconeError:
        return False
    return True


def _about_header(
    content: UploadContent, kind: kinds.TypeKind, form: Form, reading: Reading
) -> str:
    if form != "csv" or reading.has_header:
        return ""
    head = content.read(0, _LOOKED_AT_BYTES)
    return "; its first row names the columns: add --header" if names_columns(head, kind) else ""
