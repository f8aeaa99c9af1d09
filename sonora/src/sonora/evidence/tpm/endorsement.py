"""The endorsement certificate of a TPM: its manufacturer's word that a key lives in a TPM.

It is in a file, or where TCG's "EK Credential Profile" has it in the TPM's own memory. Nothing here
verifies it: Tabasco does, up to a root that its operator has registered.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sonora.evidence.base import EvidenceUnavailableError
from sonora.evidence.tpm.answers import TpmError
from sonora.evidence.tpm.commands import ENDORSEMENT, Tpm
from sonora.evidence.tpm.keys import (
    ECC_ENDORSEMENT_TEMPLATE,
    RSA_ENDORSEMENT_TEMPLATE,
    key_in,
)
from veracruz_utils.frozen import frozen

# Profile 2.2.1.4 and 2.2.1.5: certificates of the RSA-2048 and the P-256 key.
_CERTIFICATE_INDICES: Final = (0x01C00002, 0x01C0000A)
# Where TCG's provisioning guidance has the key stay, if it does.
_PERSISTENT_KEY: Final = 0x81010001
_MAX_FILE_BYTES: Final = 64 * 1024
_PEM_MARK: Final = b"-----BEGIN CERTIFICATE-----"
_RSA_BITS: Final = 2048


@frozen
class EndorsementCertificate:
    """The certificate (DER), those above it (PEM, may be none), and the key that it is of (DER)."""

    certificate: bytes
    authorities: bytes
    public_key: bytes
    template: bytes

    @classmethod
    def of_file(cls, path: Path) -> "EndorsementCertificate":
        """The first certificate of a file (PEM or DER); those behind it are the authorities.

        Raises:
            EvidenceUnavailableError: there is none, or none of a key that is used here.
        """
        try:
            with path.open("rb") as file:
                data = file.read(_MAX_FILE_BYTES + 1)
        except OSError as error:
            raise EvidenceUnavailableError(f"{path}: {error.strerror}") from error
        if len(data) > _MAX_FILE_BYTES:
            raise EvidenceUnavailableError(f"{path} has more than {_MAX_FILE_BYTES} bytes")
        try:
            if _PEM_MARK not in data:
                return _read(data, b"")
            first, *others = x509.load_pem_x509_certificates(data)
        except ValueError as error:
            raise EvidenceUnavailableError(f"{path} has no certificate in PEM or DER") from error
        above = b"".join(each.public_bytes(Encoding.PEM) for each in others)
        return _read(first.public_bytes(Encoding.DER), above)

    @classmethod
    def of_tpm(cls, tpm: Tpm) -> "EndorsementCertificate | None":
        """The certificate in the TPM's own memory; None where there is none.

        Raises:
            EvidenceUnavailableError: it cannot be read.
        """
        for index in _CERTIFICATE_INDICES:
            with contextlib.suppress(TpmError):
                return _read(_without_padding(tpm.stored(index)), b"")
        return None

    @contextlib.contextmanager
    def key_of(self, tpm: Tpm) -> Iterator[int]:
        """A handle of the key that the certificate is of.

        Raises:
            EvidenceUnavailableError: the TPM has another.
        """
        if self._stays_in(tpm):
            yield _PERSISTENT_KEY
            return
        with tpm.primary(ENDORSEMENT, self.template) as (handle, area):
            if key_in(area) != self.public_key:
                raise EvidenceUnavailableError(
                    "the endorsement certificate is of another key than this TPM's: "
                    "name the right one by --tpm-endorsement FILE"
                )
            yield handle

    def _stays_in(self, tpm: Tpm) -> bool:
        try:
            return key_in(tpm.public_area(_PERSISTENT_KEY)) == self.public_key
        except TpmError:
            return False


def _read(encoded: bytes, authorities: bytes) -> EndorsementCertificate:
    try:
        key = x509.load_der_x509_certificate(encoded).public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise EvidenceUnavailableError("the endorsement certificate cannot be read") from error
    if isinstance(key, rsa.RSAPublicKey) and key.key_size == _RSA_BITS:
        template = RSA_ENDORSEMENT_TEMPLATE
    elif isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        template = ECC_ENDORSEMENT_TEMPLATE
    else:
        raise EvidenceUnavailableError(
            "the endorsement certificate is of a key that is neither RSA of 2048 bits nor on P-256"
        )
    public_key = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return EndorsementCertificate(encoded, authorities, public_key, template)


def _without_padding(stored: bytes) -> bytes:
    """A certificate without what fills up the rest of its place in the TPM."""
    if stored[:2] != b"\x30\x82":  # a SEQUENCE of 256 to 65535 bytes
        return stored
    return stored[: 4 + int.from_bytes(stored[2:4])]
