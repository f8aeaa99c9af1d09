"""Rules about names, keys and the policy's text itself."""

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from durango.policy.canonical import is_canonical
from durango.policy.rules.rule import Checked, Severity, rule
from veracruz_utils.policy import (
    PolicyFormat,
)

_SEPARATORS: Final = re.compile(r"(?<!\d)[\W_]+|[\W_]+(?!\d)")
"""Signs between words; those between numbers make other numbers of them."""
_WRITTEN_TOGETHER: Final = tuple(
    map(
        frozenset,
        (
            {"Latin", "Cjk", "Hiragana", "Katakana"},
            {"Latin", "Cjk", "Hangul"},
            {"Latin", "Cjk", "Bopomofo"},
        ),
    )
)
"""Scripts that names of one language have together (Unicode UTS 39, highly restrictive)."""
_LOOKS_LIKE: Final = str.maketrans(
    "авеѕіјкмнорстухѵԁԛԝαγικνορτυχω01l",  # noqa: RUF001 - that is what they are here for
    "abesijkmhopctyxvdqwayikvoptuxwoii",
)
"""Letters of Cyrillic and Greek, and digits, by the Latin letters that they are taken for."""


@rule("P501", Severity.NOTE, "principals without names", "give everybody a name")
def _nameless(checked: Checked) -> Iterator[str]:
    nameless = [each.label for each in checked.policy.identities if not each.name]
    if nameless and checked.policy.format is PolicyFormat.CURRENT:
        yield f"{', '.join(nameless)} {'has' if len(nameless) == 1 else 'have'} no name"


@rule("P502", Severity.WARNING, "names that look alike", "give them names that nobody mixes up")
def _look_alike(checked: Checked) -> Iterator[str]:
    seen: dict[str, str] = {}
    for identity in checked.policy.identities:
        if not identity.name:
            continue
        plain = _seen(identity.name)
        if plain in seen:
            yield f"{seen[plain]!r} and {identity.name!r} look alike"
        seen[plain] = identity.name
        scripts = _scripts(identity.name)
        if not any(scripts <= together for together in _WRITTEN_TOGETHER) and len(scripts) > 1:
            yield f"{identity.name!r} has letters of {' and '.join(sorted(scripts))}"


def _seen(name: str) -> str:
    """A name as somebody sees it who does not look twice."""
    plain = _SEPARATORS.sub("", unicodedata.normalize("NFKC", name).casefold())
    return plain.translate(_LOOKS_LIKE)


def _scripts(name: str) -> set[str]:
    # Signs such as the one that lengthens a vowel in Japanese are of several scripts.
    words = {
        unicodedata.name(letter, "UNKNOWN").split()[0]
        for letter in unicodedata.normalize("NFKC", name)
        if letter.isalpha() and unicodedata.category(letter) != "Lm"
    }
    return {word.capitalize() for word in words}


@rule("P503", Severity.WARNING, "one key for two principals", "have each make a key of its own")
def _shared_key(checked: Checked) -> Iterator[str]:
    seen: dict[bytes, str] = {}
    for identity in checked.policy.identities:
        public = x509.load_der_x509_certificate(identity.certificate).public_key()
        key = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        if key in seen:
            yield f"{seen[key]} and {identity.label} have one key: they are one party"
        seen[key] = identity.label


@rule("P504", Severity.NOTE, "the format of 2021", "write it in the current format")
def _old_format(checked: Checked) -> Iterator[str]:
    if checked.policy.format is PolicyFormat.VERACRUZ_2021:
        yield "it cannot say names, types, rounds, limits, isolation or consent"


@rule(
    "P505", Severity.NOTE, "not canonical",
    "`durango policy build` writes it so; two texts that mean the same are two policies",
)  # fmt: skip
def _not_canonical(checked: Checked) -> Iterator[str]:
    if checked.policy.format is PolicyFormat.CURRENT and not is_canonical(checked.policy.raw):
        yield "its text is not canonical JSON (RFC 8785)"
