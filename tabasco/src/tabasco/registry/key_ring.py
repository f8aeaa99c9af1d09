"""The keys that results are signed with: a current one, and older ones for a while longer.

Theory of operation. Policies pin a result key, and last longer than a key should. So a relying
party says which key it has pinned, by the SHA-256 of its DER, and gets a result signed by that key
as long as we hold it; everybody else gets the current one. What it asks for is a wish and no
credential: it verifies the result under its own pin, whatever we answer. A key that was rotated out
is held for the overlap chosen then, and published (JWKS) beside the current one; after that, or
once it was dropped, nobody gets its signature any more. Keys are files of the state directory
(`state`), and a running service sees at once what `tabasco keys` did to them.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import field
from datetime import datetime
from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric import ec

from psa_attestation.jose.jwk import encode_key_set
from veracruz_utils.frozen import frozen
from veracruz_utils.key_files import digest_of

DEFAULT_OVERLAP_DAYS: Final = 30


@frozen
class ResultKey:
    """A key that signs results, and until when; the current one has no end.

    `digest` is the SHA-256 of its public half (DER SubjectPublicKeyInfo).
    """

    private: ec.EllipticCurvePrivateKey = field(repr=False)
    digest: bytes
    expires_at: datetime | None = None

    @classmethod
    def of(cls, key: ec.EllipticCurvePrivateKey, expires_at: datetime | None = None) -> Self:
        """This key (P-256), until then."""
        return cls(key, digest_of(key.public_key()), expires_at)

    @property
    def kid(self) -> str:
        """Its name in a key set and in a JWT's header: `digest` in hexadecimal."""
        return self.digest.hex()

    @property
    def public(self) -> ec.EllipticCurvePublicKey:
        """Its public half."""
        return self.private.public_key()

    def signs(self, at: datetime) -> bool:
        """Whether it is in use at this time."""
        return self.expires_at is None or at < self.expires_at


class KeyRing:
    """The result keys of a service, the current one first; safe to share by threads.

    Args:
        read: the keys now.
        stamp: something that differs when `read` would give others.
    """

    def __init__(
        self, read: Callable[[], Sequence[ResultKey]], *, stamp: Callable[[], Hashable]
    ) -> None:
        self._read = read
        self._stamp = stamp
        self._held = (stamp(), tuple(read()))

    @classmethod
    def single(cls, key: ec.EllipticCurvePrivateKey) -> Self:
        """A ring of one key that stays."""
        return cls(lambda: [ResultKey.of(key)], stamp=lambda: None)

    def signing(self, wanted: bytes, *, at: datetime) -> ResultKey:
        """The key with this digest if it is in use, else the current one."""
        held = self._now()
        for key in held:
            if key.digest == wanted and key.signs(at):
                return key
        return held[0]

    def in_use(self, at: datetime) -> tuple[ResultKey, ...]:
        """Every key that signs, the current one first."""
        return tuple(key for key in self._now() if key.signs(at))

    def key_set(self, at: datetime) -> bytes:
        """The public halves of the keys in use, as a JSON Web Key Set (RFC 7517)."""
        return encode_key_set({key.kid: key.public for key in self.in_use(at)})

    def _now(self) -> tuple[ResultKey, ...]:
        # Before the keys: what changes in between is seen by the next call, and never missed.
        stamp = self._stamp()
        if stamp != self._held[0]:
            # One assignment, so that other threads see a stamp with its own keys.
            self._held = (stamp, tuple(self._read()))
        return self._held[1]
