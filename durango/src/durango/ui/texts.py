"""The languages of the page.

What the sources and templates say in English is the catalogue's key; `locale/` has the German
beside it, in the form that translators use (gettext). `make texts` collects what there is to say.
"""

import gettext
from functools import cache
from pathlib import Path
from typing import Final

from starlette.datastructures import Headers
from starlette.requests import cookie_parser

LANGUAGES: Final = {"en": "English", "de": "Deutsch"}
LANGUAGE_COOKIE: Final = "veracruz_language"
_FOLDER: Final = Path(__file__).parent.parent / "locale"


@cache
def texts(language: str) -> gettext.NullTranslations:
    """The catalogue of one of `LANGUAGES`."""
    if language == "en":
        return gettext.NullTranslations()
    return gettext.translation("durango", _FOLDER, [language])


def N_(text: str) -> str:  # noqa: N802 - what gettext's tools look for
    """`text`, which is to be in the catalogue, and is translated where it is shown."""
    return text


def language_of(headers: Headers, chosen: str | None = None) -> str:
    """The language of whoever asks: as chosen now or before, or as the browser prefers.

    Args:
        headers: of the request.
        chosen: what the address says, if anything.
    """
    if chosen in LANGUAGES:
        return chosen
    for each in headers.getlist("cookie"):
        if (kept := cookie_parser(each).get(LANGUAGE_COOKIE)) in LANGUAGES:
            return kept
    preferred = headers.get("accept-language", "")[:200].split(",")
    for each in preferred:
        language = each.split(";")[0].strip().lower().split("-")[0]
        if language in LANGUAGES:
            return language
    return "en"
