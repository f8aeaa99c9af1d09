"""The languages of the delegate's page; `make texts` collects what there is to say."""

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
    return gettext.translation("sinaloa", _FOLDER, [language])


def N_(text: str) -> str:  # noqa: N802 - what gettext's tools look for
    """`text`, which is to be in the catalogue, and is translated where it is shown."""
    return text


WORDS: Final = (
    N_("running"),
    N_("waiting"),
    N_("ended"),
    N_("sessions ended"),
    N_("sessions refused"),
    N_("handshakes refused"),
    N_("attestations answered"),
    N_("attestations refused or failed"),
    N_("bytes to isolates"),
    N_("bytes from isolates"),
    N_("requests that Sonora has not answered"),
    N_("every result reader asked for shutdown"),
    N_("the policy expired"),
    N_("nobody had a session for as long as the policy allows"),
    N_("the isolate ended unexpectedly"),
    N_("sonora went away, and the isolate with it"),
)
"""What the bridge's own code says, and the page translates where it shows it."""
