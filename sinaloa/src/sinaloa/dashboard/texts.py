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
    N_("attestations"),
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

LABELS: Final = {
    "answered": N_("answered"),
    "bridge-ending": N_("the bridge was ending"),
    "cancelled": N_("whoever asked went away"),
    "ended": N_("the isolate or the principal ended it"),
    "failed": N_("failed"),
    "failed-precondition": N_("not possible then"),
    "gave-way": N_("gave way to another"),
    "internal": N_("an error of the bridge"),
    "invalid-argument": N_("asked wrongly"),
    "left": N_("the principal went away"),
    "not-found": N_("no such policy here"),
    "not-served": N_("the policy was served no more"),
    "other": N_("other"),
    "permission-denied": N_("not permitted"),
    "resource-exhausted": N_("a limit was reached"),
    "stalled": N_("a side was idle too long"),
    "unavailable": N_("Sonora or the isolate was not there"),
}
"""What the labels of metrics mean, which are closed."""
