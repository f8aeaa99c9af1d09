"""The views: templates, filled with what the desk knows. All that they are given is escaped."""

import hashlib
from functools import cache
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from durango._words import printable, size, timestamp
from durango.ui.texts import LANGUAGES, texts

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
        bytes=size,
        time=timestamp,
        said=lambda text: printable(str(text), most=len(str(text))),
    )
    return made


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
