"""Results as pictures: which type of which example has one, and how it is drawn.

`kinds` is the table of pictures, `drawings` what is drawn on an axis, and `picture` a drawn result,
as a file or in a notebook. Drawing takes the extra `plot`; without it nothing here loads it.
"""

from sdk.pictures.errors import PictureError
from sdk.pictures.kinds import PICTURES, PictureKind, picture_kind
from sdk.pictures.picture import FORMATS, Picture, draw

__all__ = ["FORMATS", "PICTURES", "Picture", "PictureError", "PictureKind", "draw", "picture_kind"]
