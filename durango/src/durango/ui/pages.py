"""The views: templates, filled with what the desk knows. All that they are given is escaped."""

import hashlib
from collections.abc import Callable
from functools import cache
from gettext import NullTranslations
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from durango._say import translated
from durango._words import printable, size, timestamp
from durango.ui.texts import texts
from veracruz_shells.local_page.languages import LANGUAGES

_SEEN_CHARS: Final = 16


@cache
def _environment(language: str) -> Environment:
    made = Environment(
        loader=PackageLoader("durango.ui"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    made.install_gettext_translations(texts(language), newstyle=True)  # type: ignore[attr-defined] # of the extension
    made.globals.update(language=language, languages=LANGUAGES)
    made.filters.update(
        bytes=lambda count: translated(size(count), texts(language)),
        time=lambda at: translated(timestamp(at), texts(language)),
        said=lambda text: _said(text, texts(language)),
    )
    return made


def tell(language: str) -> Callable[[str], str]:
    """What says a sentence in this language, and anything else as it is."""
    return lambda text: str(translated(text, texts(language)))


def _said(text: object, spoken: NullTranslations) -> str:
    """What somebody else may have chosen, as it may be shown; a sentence in the page's language."""
    whole = str(translated(text, spoken) if isinstance(text, str) else text)
    return printable(whole, most=len(whole))


def page(name: str, language: str, /, **filled: object) -> str:
    """A template with what it is filled with."""
    return _environment(language).get_template(name).render(**filled)


def live(name: str, language: str, seen: str, /, **filled: object) -> str | None:
    """A part that the browser asks for again and again; None if it has the very same already.

    Args:
        name: of the part.
        language: of its texts.
        seen: what the browser has.
        filled: what the template is filled with.
    """
    inner = page(f"live/{name}.html", language, **filled)
    version = hashlib.sha256(inner.encode()).hexdigest()[:_SEEN_CHARS]
    if version == seen:
        return None
    return page("live.html", language, name=name, version=version, inner=Markup(inner))  # noqa: S704 - the template above escaped it
