"""Sentences with gaps: text for whoever reads English, and for others what it was made of.

A sentence is a `str`, filled in English. Shown in another language, its gaps are filled anew in
what the catalogue has for it (`make texts` collects what these functions are given).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    # Loaded where somebody reads another language than English.
    from gettext import NullTranslations

Gap = str | int


class Sentence(str):
    """A text, and the text with gaps that it was made of; made by `say` and `say_many`."""

    _template: str
    _gaps: Mapping[str, Gap]
    _many: tuple[str, int] | None

    def __new__(cls, template: str, gaps: Mapping[str, Gap], many: tuple[str, int] | None) -> Self:
        """Fill the gaps."""
        several, number = many or (template, 1)
        made = super().__new__(cls, (template if number == 1 else several).format(**gaps))
        made._template, made._gaps, made._many = template, gaps, many
        return made

    def translated(self, texts: "NullTranslations") -> str:
        """The same in the language of these texts."""
        if self._many is None:
            found = texts.gettext(self._template)
        else:
            found = texts.ngettext(self._template, *self._many)
        return found.format(**{name: translated(gap, texts) for name, gap in self._gaps.items()})


class Written(str):
    """A number, a size or a moment as English writes it, which knows other languages' ways."""

    _in_language: Callable[[str], str]

    def __new__(cls, english: str, in_language: Callable[[str], str]) -> Self:
        """The English text, and what gives that of a language by its code."""
        made = super().__new__(cls, english)
        made._in_language = in_language
        return made

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return str, (str(self),)

    def translated(self, texts: "NullTranslations") -> str:
        """The same in the language of these texts."""
        return self._in_language(texts.info().get("language", "en"))


def say(template: str, /, **gaps: Gap) -> Sentence:
    """A sentence.

    Args:
        template: in English, with gaps in braces.
        gaps: what fills them; sentences are translated as well.
    """
    return Sentence(template, gaps, None)


def say_many(number: int, one: str, several: str, /, **gaps: Gap) -> Sentence:
    """A sentence that is another for one than for several.

    Args:
        number: of whatever it is about.
        one: the sentence for one.
        several: the sentence for several, or for none.
        gaps: what fills them.
    """
    return Sentence(one, gaps, (several, number))


def translated(said: Gap, texts: "NullTranslations") -> Gap:
    """What was said, in another language as far as it is a sentence or a quantity."""
    return said.translated(texts) if isinstance(said, Sentence | Written) else said


def joined(parts: Sequence[str], by: str) -> Sentence:
    """Several one after the other, with this between them."""
    gaps = {f"part_{number}": part for number, part in enumerate(parts)}
    return Sentence(by.join(f"{{{name}}}" for name in gaps), gaps, None)
