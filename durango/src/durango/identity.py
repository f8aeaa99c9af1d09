"""A principal's certificate and private key."""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self, cast

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import pkcs12

from durango._words import timestamp
from durango.errors import IdentityError, NotAuthorisedError, PasswordError
from veracruz_utils.digest import Digest
from veracruz_utils.frozen import frozen
from veracruz_utils.policy import Policy, PolicyIdentity
from veracruz_utils.public_keys import RSA_BITS

if TYPE_CHECKING:
    # Loaded when a certificate is made: to read one takes no TLS.
    from baja import PrivateKey

MAX_PEM_BYTES: Final = 64 * 1024
_LABEL: Final = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,40})-----")
_PKCS12: Final = re.compile(rb"0(\x80|[\x81-\x84]?.{1,4}?)\x02\x01\x03", re.DOTALL)
"""How a file begins: a sequence whose first number is the version, 3."""
_KEY_LABELS: Final = frozenset(
    {"PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY"}
)
Password = Callable[[str], bytes]
"""Gives the password of the file with this name."""
_MIN_CURVE_BITS: Final = 256
_CLOCK_SKEW: Final = timedelta(minutes=5)


@frozen
class Identity:
    """A certificate (DER) and its private key, which never shows in `repr`."""

    certificate: bytes
    private_key: "PrivateKey" = field(repr=False, compare=False)

    @classmethod
    def load(
        cls, certificate: Path | str, key: Path | str, *, password: Password | None = None
    ) -> Self:
        """The identity in two PEM files.

        Args:
            certificate: one X.509 certificate, for P-256, Ed25519 or RSA.
            key: its private key, PKCS#8, PKCS#1 or SEC1.
            password: gives the password of an encrypted key; asked for only then.

        Raises:
            IdentityError: a file is missing, is something else, or the two do not match.
        """
        return cls.parse(
            _read(Path(certificate), "certificate"),
            _read(Path(key), "key"),
            names=(str(certificate), str(key)),
            password=password,
        )

    @classmethod
    def parse(
        cls,
        certificate: bytes,
        key: bytes,
        *,
        names: tuple[str, str] = ("the certificate", "the key"),
        password: Password | None = None,
    ) -> Self:
        """The identity in two PEM texts.

        Args:
            certificate: one X.509 certificate, for P-256, Ed25519 or RSA.
            key: its private key, PKCS#8, PKCS#1 or SEC1.
            names: what errors call the two.
            password: gives the password of an encrypted key; asked for only then.

        Raises:
            IdentityError: one is something else, or the two do not match.
        """
        parsed = parse_certificate(certificate, name=names[0])
        private_key = _parse_key(key, name=names[1], password=password)
        if parsed.public_key() != private_key.public_key():
            raise IdentityError(
                f"{names[1]} is not the key of {names[0]}: "
                "give the two files that were made together"
            )
        return cls(parsed.public_bytes(serialization.Encoding.DER), private_key)

    @classmethod
    def from_pkcs12(cls, data: bytes, *, password: bytes | None, name: str = "the file") -> Self:
        """The identity in a PKCS#12 file (RFC 7292), such as browsers and Windows export.

        Args:
            data: the file.
            password: of the file; None without one.
            name: what errors call it.

        Raises:
            PasswordError: it has another password.
            IdentityError: it is none, or holds no key with its certificate.
        """
        try:
            key, certificate, _ = pkcs12.load_key_and_certificates(data, password)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            if not _PKCS12.match(data):
                raise IdentityError(f"{name} is not PKCS#12") from error
            raise PasswordError(f"{name} has another password, or is damaged") from error
        if key is None or certificate is None:
            raise IdentityError(f"{name} holds no private key with its certificate")
        _require_usable(key.public_key(), name)
        der = certificate.public_bytes(serialization.Encoding.DER)
        return cls(der, cast("PrivateKey", key))

    @classmethod
    def create(cls, name: str, *, not_before: datetime, lifetime: timedelta) -> Self:
        """A fresh P-256 key and a self-signed certificate for it.

        Args:
            name: common name: at most 64 letters, digits, spaces and . _ - & ' ( ), of which
                Unicode's form NFC is taken.
            not_before: now; the certificate begins a few minutes earlier, for slow clocks.
            lifetime: how long from now it is valid.

        Raises:
            TlsError: a name or dates no certificate is made of.
        """
        from baja import make_certificate  # noqa: PLC0415

        made = make_certificate(
            name=unicodedata.normalize("NFC", name),
            not_before=not_before - _CLOCK_SKEW,
            not_after=not_before + lifetime,
        )
        return cls(made.certificate, made.private_key)

    @property
    def digest(self) -> Digest:
        """SHA-256 of the certificate's DER."""
        return Digest.of(self.certificate)

    def certificate_pem(self) -> bytes:
        """The certificate as a PEM text."""
        parsed = x509.load_der_x509_certificate(self.certificate)
        return parsed.public_bytes(serialization.Encoding.PEM)

    def key_pem(self, password: bytes | None = None) -> bytes:
        """The private key as a PKCS#8 PEM text: write it to a file of mode 0600.

        Args:
            password: what it is encrypted under; None leaves it as it is.
        """
        return self.private_key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption()
            if password is None
            else serialization.BestAvailableEncryption(password),
        )

    def require_valid(self, at: datetime) -> None:
        """Refuse a certificate outside its dates, before an isolate has to.

        Raises:
            NotAuthorisedError: it is not valid at `at`.
        """
        parsed = x509.load_der_x509_certificate(self.certificate)
        if at > parsed.not_valid_after_utc:
            state = f"expired at {timestamp(parsed.not_valid_after_utc)}"
        elif at < parsed.not_valid_before_utc:
            state = f"is only valid from {timestamp(parsed.not_valid_before_utc)}"
        else:
            return
        raise NotAuthorisedError(
            f"certificate {self.digest.short} {state}, it is {timestamp(at)}: "
            "make a new identity, and a policy that names it"
        )

    def __repr__(self) -> str:
        return f"<Identity: {self.digest.short}>"


def load_certificate(path: Path | str) -> x509.Certificate:
    """The one certificate in a PEM file.

    Raises:
        IdentityError: the file is missing or holds anything else.
    """
    return parse_certificate(_read(Path(path), "certificate"), name=str(path))


def parse_certificate(pem: bytes, *, name: str) -> x509.Certificate:
    """The one certificate in a PEM text that errors call `name`.

    Raises:
        IdentityError: none, several, not PEM, not X.509, or for a key we do not use.
    """
    labels = _labels(pem)
    # A policy pins one certificate: which one of a chain is meant would be a guess.
    if labels != ["CERTIFICATE"]:
        raise IdentityError(f"{name} holds {_listed(labels)}, one certificate in PEM is needed")
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        _require_usable(certificate.public_key(), name)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise IdentityError(f"{name} is not a valid X.509 certificate") from error
    return certificate


def _parse_key(pem: bytes, *, name: str, password: Password | None) -> "PrivateKey":
    labels = _labels(pem)
    secret = None
    if labels == ["ENCRYPTED PRIVATE KEY"] or b"Proc-Type: 4,ENCRYPTED" in pem:
        if password is None:
            raise IdentityError(f"{name} is encrypted, and there is no password for it")
        secret = password(name)
    # OpenSSL writes the curve's parameters in front of a SEC1 key; they are in the key as well.
    keys = [label for label in labels if label != "EC PARAMETERS"]
    if len(keys) != 1 or keys[0] not in _KEY_LABELS:
        raise IdentityError(f"{name} holds {_listed(labels)}, one private key in PEM is needed")
    try:
        key = serialization.load_pem_private_key(
            pem[pem.index(f"-----BEGIN {keys[0]}-----".encode()) :], password=secret
        )
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        if secret is not None:
            raise PasswordError(f"the password is not that of {name}") from error
        raise IdentityError(f"{name} is not a valid private key") from error
    _require_usable(key.public_key(), name)
    return cast("PrivateKey", key)


def _require_usable(key: object, name: str) -> None:
    match key:
        case ec.EllipticCurvePublicKey() if key.key_size >= _MIN_CURVE_BITS:
            return
        case rsa.RSAPublicKey() if key.key_size in RSA_BITS:
            return
        case ed25519.Ed25519PublicKey():
            return
        case _:
            raise IdentityError(
                f"{name} is for {_kind(key)}: P-256, Ed25519 or RSA of 2048 to 8192 bits is needed"
            )


def _kind(key: object) -> str:
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"the curve {key.curve.name}"
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA of {key.key_size} bits"
    return f"another kind of key ({type(key).__name__})"


def _labels(pem: bytes) -> list[str]:
    return [label.decode("ascii") for label in _LABEL.findall(pem)]


def _listed(labels: list[str]) -> str:
    return " and ".join(labels[:4]) if labels else "no PEM block"


def _read(path: Path, what: str) -> bytes:
    try:
        with path.open("rb") as file:
            # The byte more tells what is too large; without a bound a device would never end.
            data = file.read(MAX_PEM_BYTES + 1)
    except OSError as error:
        raise IdentityError(f"{what} file {path} cannot be read: {error.strerror}") from error
    except ValueError as error:  # NUL in the name
        raise IdentityError(f"{what} file {str(path)!r} cannot be read: {error}") from error
    if len(data) > MAX_PEM_BYTES:
        raise IdentityError(f"{what} file {path} is larger than {MAX_PEM_BYTES} bytes")
    return data


def require_member(policy: Policy, identity: Identity) -> PolicyIdentity:
    """Which of the policy's principals this is, by the exact certificate.

    Raises:
        NotAuthorisedError: none.
    """
    member = policy.identity_of(identity.certificate)
    if member is None:
        raise NotAuthorisedError(
            f"certificate {identity.digest} is not in policy {policy.digest}: give the certificate "
            "that the policy was made with"
        )
    return member
