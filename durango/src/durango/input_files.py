"""A file held against what the policy says of its place, before any of it leaves; and encoding it.

Encoded data are checked in a walk along them, in constant memory unless the type has sets or maps.
To encode a file its text and all its values are in memory.
"""

import io
from typing import Final, Literal, TypeAlias

from colima.runtime import ContentKind
from durango._words import printable
from durango.content import UploadContent
from durango.errors import NotAuthorisedError, WrongInputError
from durango.input_places import PlaceOfInput, places
from veracruz_utils.encoding import kinds
from veracruz_utils.encoding.csv_codec import read_rows
from veracruz_utils.encoding.errors import EncodingError, PineconeError, TableError
from veracruz_utils.encoding.pinecone import encode_from_json
from veracruz_utils.encoding.tables import encode_table
from veracruz_utils.encoding.walk import Walk
from veracruz_utils.encoding.wire import Window
from veracruz_utils.policy import Policy

MAX_TEXT_BYTES: Final = 256 * 1024 * 1024
"""The most of a file that is encoded."""

TextForm: TypeAlias = Literal["CSV", "JSON"]

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


def encoded(content: UploadContent, place: PlaceOfInput, *, header: bool) -> UploadContent:
    """CSV or JSON, encoded for its place.

    Args:
        content: the text. It is JSON if it begins so, and CSV otherwise.
        place: where it goes.
        header: whether the first row of CSV names the columns.

    Raises:
        WrongInputError: it does not fit the place's type, which the policy must say.
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
    text = b"".join(content.pieces())
    form = "CSV" if header else text_form(content, kind) or "JSON"
    try:
        made = (
            encode_table(kind, text, header=header)
            if form == "CSV"
            else encode_from_json(kind, text)
        )
    except EncodingError as error:
        raise WrongInputError(
            f"{content.name}: {error}: read as {form}, for {place.label}, {place.expected}"
            + _about_header(text, kind, form, header=header)
        ) from error
    found = UploadContent(io.BytesIO(made), name=content.name)
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
        return "JSON"
    return "CSV"


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
            f"{content.name} is {form}, and {place.label} takes {place.expected}: encode it first",
            form=form,
            header=form == "CSV" and names_columns(head, place.kind),
        )
    return WrongInputError(
        f"{content.name} is not {place.label}, {place.expected}: byte {error.offset}, "
        f"{printable(str(error), most=300)}: {_remedy(content, policy)}"
    )


def _remedy(content: UploadContent, policy: Policy) -> str:
    """Where else the content would be right; or what to look at."""
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


def _about_header(text: bytes, kind: kinds.TypeKind, form: str, *, header: bool) -> str:
    if form != "CSV" or header or not names_columns(text[:_LOOKED_AT_BYTES], kind):
        return ""
    return "; its first row names the columns: add --header"
