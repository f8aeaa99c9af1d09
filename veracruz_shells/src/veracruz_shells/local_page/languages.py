"""Which language a page speaks to whoever asks."""

from typing import Final

from starlette.datastructures import Headers
from starlette.requests import Request, cookie_parser
from starlette.responses import Response

LANGUAGES: Final = {"en": "English", "de": "Deutsch"}
_COOKIE: Final = "veracruz_language"
_YEAR_S: Final = 365 * 86400


def language_of(headers: Headers, chosen: str | None = None) -> str:
    """The language of whoever asks: as chosen now or before, or as the browser prefers.

    Args:
        headers: of the request.
        chosen: what the address says, if anything.
    """
    if chosen in LANGUAGES:
        return chosen
    for each in headers.getlist("cookie"):
        if (kept := cookie_parser(each).get(_COOKIE)) in LANGUAGES:
            return kept
    preferred = headers.get("accept-language", "")[:200].split(",")
    for each in preferred:
        language = each.split(";")[0].strip().lower().split("-")[0]
        if language in LANGUAGES:
            return language
    return "en"


def keep_choice(request: Request, answer: Response) -> None:
    """Have the browser keep what the address chose, if it chose a language."""
    chosen = request.query_params.get("language")
    if chosen in LANGUAGES:
        answer.set_cookie(_COOKIE, chosen, max_age=_YEAR_S, httponly=True, samesite="strict")
