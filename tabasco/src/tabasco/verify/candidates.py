"""Which of several keys has signed: evidence that does not say is tried with all of them."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from enum import Enum, auto
from typing import Final, TypeVar

from psa_attestation.errors import AttestationError, Stage
from psa_attestation.jose.jws import kid_of
from tabasco.verify.errors import EvidenceError, VerificationStage
from tabasco.verify.means import Means

_OF_THE_KEY: Final = frozenset(
    {Stage.ENVELOPE, Stage.KEY, Stage.SIGNATURE, VerificationStage.SIGNATURE}
)
"""Where verification ends with a key that did not sign; one of another curve ends at `envelope`."""
_T = TypeVar("_T")


class KeyNaming(Enum):
    """What evidence says about the key that signed it."""

    KID = auto()
    """Its name, so that of keys with a name no other counts."""
    INSTANCE = auto()
    """Whose it is, so that a key that was given for an instance counts for no other."""
    ITSELF = auto()
    """The very key, or nothing: its verifier looks among all that are given."""
    NOTHING = auto()


def names_key(data: bytes) -> bool:
    """Whether a token is a JWT that names its key; what is none is left to its verifier."""
    try:
        return kid_of(data.strip().decode("ascii", "replace")) is not None
    except AttestationError:
        return False


def with_each_key(means: Means, naming: KeyNaming, verify: Callable[[Means], _T]) -> _T:
    """What `verify` finds with the first of the keys that signed.

    Args:
        means: with any number of `candidates`.
        naming: which of them may have signed.
        verify: takes one of them, as the key `*`.

    Raises:
        EvidenceError: what `verify` raises with the key that signed; if none did, with the first.
        AttestationError: likewise.
    """
    first: EvidenceError | AttestationError | None = None
    tried = 0
    for each in _each(means, naming):
        try:
            return verify(each)
        except (EvidenceError, AttestationError) as error:
            if error.stage not in _OF_THE_KEY:
                raise
            first = first or error
            tried += 1
    assert first is not None
    if tried > 1:
        first.detail += f"; nor is it signed by any other of the {tried} keys given"
    raise first


def _each(means: Means, naming: KeyNaming) -> Iterator[Means]:
    if naming is KeyNaming.ITSELF:
        yield means
        return
    by_name = naming is KeyNaming.KID
    keys = [each.key for each in means.candidates if not (by_name and each.kid)]
    if naming is KeyNaming.NOTHING:
        keys += [each for each in means.keys.values() if each not in keys]
    if not keys:
        yield means
    for key in keys:
        yield replace(means, keys={**means.keys, "*": key}, candidates=())
