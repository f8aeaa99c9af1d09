"""A drawn result: the bytes of a picture in a format, and what a notebook shows by itself."""

from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from sdk.pictures.errors import PictureError
from sdk.pictures.kinds import picture_kind
from veracruz_utils.encoding.errors import EncodingError
from veracruz_utils.encoding.pinecone import decode

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS: Final = ("svg", "png", "pdf")
_NO_DATE: Final = {"svg": {"Date": None}, "png": {}, "pdf": {"CreationDate": None}}
"""Equal results are equal files: the time is left out."""
_SETTINGS: Final[Any] = {
    "svg.hashsalt": "veracruz",
    "svg.fonttype": "path",
    "text.parse_math": False,
}
_SIZE: Final = (7.0, 4.5)  # inches
_DPI: Final = 150
_LEFT: Final = "drawing takes matplotlib: pip install 'veracruz-sdk[plot]'"


class Picture:
    """A picture of a result.

    A notebook shows it by itself. `to_bytes` gives it as a file in one of `FORMATS`.
    """

    def __init__(self, title: str, figure: "Figure") -> None:
        """Keep what was drawn."""
        self._title = title
        self._figure = figure

    def __repr__(self) -> str:
        """What it is of."""
        return f"<picture of {self._title}>"

    def to_bytes(self, form: str) -> bytes:
        """The picture as a file: the same bytes for the same result and version of matplotlib.

        Raises:
            PictureError: there is no such format.
        """
        import matplotlib as mpl  # noqa: PLC0415 - the extra

        if form not in FORMATS:
            raise PictureError(f"{form!r} is no format of pictures: {', '.join(FORMATS)}")
        out = BytesIO()
        with mpl.rc_context(_SETTINGS):
            self._figure.savefig(out, format=form, dpi=_DPI, metadata=_NO_DATE[form])
        return out.getvalue()

    def _repr_png_(self) -> bytes:
        # Rather than SVG: a notebook keeps what it showed, and points by the thousand are large.
        return self.to_bytes("png")


def draw(name: str, result: bytes, data: bytes | None = None) -> Picture:
    """Draw a result of an example program.

    Args:
        name: of the result's type, as in `--type`: one of `PICTURES`.
        result: as the program wrote it, encoded.
        data: what belongs beside it, encoded, such as the points that a line was fitted to.

    Raises:
        PictureError: a result of this type has no picture, this one has none, or matplotlib is not
            installed.
        EncodingError: the result or the data are not of their type.
    """
    try:
        import matplotlib as mpl  # noqa: PLC0415 - the extra
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ImportError:
        raise PictureError(_LEFT) from None
    how = picture_kind(name)
    value, beside = decode(how.kind, result), None
    if data is not None:
        if how.data_kind is None:
            raise PictureError(f"nothing is drawn beside a result of type {name!r}")
        try:
            beside = decode(how.data_kind, data)
        except EncodingError as error:
            raise EncodingError(f"the data beside it, of type {how.data!r}: {error}") from error
    with mpl.rc_context(_SETTINGS):
        figure = Figure(figsize=_SIZE, layout="constrained")
        how.draw(figure.add_subplot(), value, beside)
    return Picture(name, figure)
