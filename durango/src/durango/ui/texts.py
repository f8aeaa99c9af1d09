"""The languages of the page.

What the sources and templates say in English is the catalogue's key; `locale/` has the German
beside it, in the form that translators use (gettext). `make texts` collects what there is to say.
"""

import gettext
from functools import cache
from pathlib import Path
from typing import Final

_FOLDER: Final = Path(__file__).parent.parent / "locale"


@cache
def texts(language: str) -> gettext.NullTranslations:
    """The catalogue of a language of pages."""
    if language == "en":
        return gettext.NullTranslations()
    return gettext.translation("durango", _FOLDER, [language])


def N_(text: str) -> str:  # noqa: N802 - what gettext's tools look for
    """`text`, which is to be in the catalogue, and is translated where it is shown."""
    return text
