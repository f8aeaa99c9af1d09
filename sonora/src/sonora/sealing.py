"""Keeping an enrolled key over a restart, sealed, where the platform can seal and nowhere else.

Theory of operation. An SGX enclave has a sealing key that the processor gives to this very enclave
on this very machine. An enrolment is encrypted with a key derived from it (AES-256-GCM under HKDF)
and written beside Sonora's state; another enclave, another machine or a changed byte cannot open
it. Whoever keeps the file can bring back an older one: that key is enrolled only until its own end,
which Tabasco knows. Where nothing seals, nothing is written.
"""

import logging
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from psa_attestation.cbor.decoding import DecodeLimits, decode
from psa_attestation.cbor.encoding import encode
from psa_attestation.tokens.instance_id import instance_id_of
from sonora.boot_clock import boot_time
from sonora.enrolment import OwnEnrolment
from sonora.errors import SonoraError
from sonora.evidence.base import Files, KernelFiles
from sonora.evidence.gramine import ATTESTATION
from veracruz_shells.files import write_new_file
from veracruz_utils.errors import VeracruzError

FILE: Final = "enrolment.sealed"
_LOG: Final = logging.getLogger(__name__)
_LABEL: Final = b"veracruz-sonora-enrolment-sealed-v1"
_NONCE_BYTES: Final = 12
_KEY_SIZES: Final = (16, 32)
_MAX_BYTES: Final = 4096
_LIMITS: Final = DecodeLimits(max_bytes=_MAX_BYTES, max_items=8, max_depth=2)


class Sealer(Protocol):
    """Encrypts so that only this code on this machine decrypts."""

    def seal(self, data: bytes) -> bytes:
        """`data`, sealed.

        Raises:
            SonoraError: the platform cannot.
        """

    def unseal(self, sealed: bytes) -> bytes:
        """What was sealed.

        Raises:
            SonoraError: it was sealed elsewhere, was changed, or the platform cannot.
        """


class GramineSealer:
    """Seals to the measurement of the enclave we run in, by Gramine's `keys/_sgx_mrenclave`."""

    def __init__(self, folder: Path = ATTESTATION, files: Files | None = None) -> None:
        self._path = folder / "keys" / "_sgx_mrenclave"
        self._files = files or KernelFiles()

    def seal(self, data: bytes) -> bytes:
        """`data`, sealed."""
        # Random, since a counter would have to survive restarts; a few of 96 bits do not repeat.
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._cipher().encrypt(nonce, data, _LABEL)

    def unseal(self, sealed: bytes) -> bytes:
        """What was sealed."""
        try:
            return self._cipher().decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], _LABEL)
        except (InvalidTag, ValueError) as error:
            raise SonoraError("sealed by another enclave or machine, or changed since") from error

    def _cipher(self) -> AESGCM:
        key = self._files.read(self._path)
        if len(key) not in _KEY_SIZES:
            raise SonoraError(f"{self._path} has {len(key)} bytes, a sealing key has 16 or 32")
        # Whatever else uses the platform's key must not come to use the same cipher key.
        derive = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=_LABEL)
        return AESGCM(derive.derive(key))


class SealedEnrolment:
    """The file in which an enrolment outlives a restart.

    Args:
        path: of the file.
        sealer: of the platform.
        now: the time in seconds since 1970, for the enrolment's end.
    """

    def __init__(self, path: Path, sealer: Sealer, *, now: Callable[[], float] = time.time) -> None:
        self._path = path
        self._sealer = sealer
        self._now = now

    def keep(self, enrolment: OwnEnrolment) -> OwnEnrolment:
        """`enrolment` itself, kept if it can be; what cannot be sealed is not written."""
        # The clock begins anew with each boot, so the file has times of the calendar.
        shift = self._now() - boot_time()
        key = enrolment.key.private_bytes(
            serialization.Encoding.DER,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        times = [int(enrolment.renew_at + shift), int(enrolment.expires_at + shift)]
        try:
            sealed = self._sealer.seal(encode([key, *times]))
            write_new_file(self._path, sealed, mode=0o600, force=True)
        except VeracruzError as error:
            _LOG.warning("the enrolment is not kept over a restart: %s", error)
        return enrolment

    def resume(self) -> OwnEnrolment | None:
        """The enrolment that was kept, if it can be opened here and is not over."""
        try:
            with self._path.open("rb") as file:
                sealed = file.read(_MAX_BYTES)
            found = self._read(self._sealer.unseal(sealed))
        except FileNotFoundError:
            return None
        except (VeracruzError, OSError, ValueError) as error:
            _LOG.warning("the kept enrolment is not used: %s", error)
            return None
        return found if found.expires_at > boot_time() else None

    def _read(self, data: bytes) -> OwnEnrolment:
        match decode(data, _LIMITS):
            case [bytes(encoded), int(renew_at), int(expires_at)]:
                key = serialization.load_der_private_key(encoded, password=None)
            case _:
                raise SonoraError("malformed enrolment")
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise SonoraError("its key is not an elliptic-curve key")
        shift = boot_time() - self._now()
        identifier = instance_id_of(key.public_key())
        return OwnEnrolment(key, identifier, renew_at + shift, expires_at + shift)
