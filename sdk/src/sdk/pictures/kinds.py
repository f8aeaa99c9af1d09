"""Which results have a picture: by the name of their type, as in `--type`."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from sdk.examples.named_types import SCHEMAS
from sdk.pictures import drawings
from sdk.pictures.errors import PictureError
from veracruz_utils.encoding.pinecone import TypeKind
from veracruz_utils.frozen import frozen

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Drawing = Callable[["Axes", Any, Any], None]
"""Draws a decoded result on an axis; the last is decoded data beside it, or None."""


@frozen
class PictureKind:
    """How results of one type are drawn.

    Attributes:
        name: of the type.
        shows: what the picture shows.
        data: the name of the type of what can be drawn beside the result, such as the points that a
            line was fitted to; None if nothing can.
        draw: draws it.
    """

    name: str
    shows: str
    data: str | None
    draw: Drawing

    @property
    def kind(self) -> TypeKind:
        """The result's type."""
        return SCHEMAS[self.name].kind

    @property
    def data_kind(self) -> TypeKind | None:
        """The type of the data beside it."""
        return SCHEMAS[self.data].kind if self.data is not None else None


PICTURES: Final = {
    each.name: each
    for each in (
        PictureKind("line", "the line, through its points", "points", drawings.line),
        PictureKind(
            "components",
            "how much each component explains; with rows, where they lie on the first two",
            "measurements",
            drawings.components,
        ),
        PictureKind(
            "idash-result",
            "the weights; with rows, the ROC curve of those for the test",
            "idash",
            drawings.judged_model,
        ),
        PictureKind(
            "counts", "the histogram, over its edges", "histogram-terms", drawings.histogram
        ),
        PictureKind("scores", "how the scores are spread", None, drawings.scores),
        PictureKind("labels", "how often each label is", None, drawings.labels),
        PictureKind("classes", "how often each class is", None, drawings.labels),
        PictureKind("groups", "the mean of each group", None, drawings.groups),
        PictureKind("tally", "the votes of each choice", None, drawings.tally),
    )
}


def picture_kind(name: str) -> PictureKind:
    """How results of a type are drawn.

    Raises:
        PictureError: they have no picture; it says which have one.
    """
    if name not in PICTURES:
        raise PictureError(
            f"a result of type {name!r} has no picture; those of these types have one: "
            f"{', '.join(PICTURES)}"
        )
    return PICTURES[name]
