"""The keys of a TPM that enrolment uses, as templates, and the public key in a public area.

The templates of endorsement keys are those of TCG's "EK Credential Profile" (B.3.3, B.3.4): only
with exactly these does a TPM give the key that its manufacturer certified.
"""

from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sonora.evidence.base import EvidenceUnavailableError
from sonora.evidence.tpm.answers import TpmAnswer, sized, u16, u32

_RSA, _ECC = 0x0001, 0x0023
_SHA256, _NULL, _AES, _CFB, _ECDSA = 0x000B, 0x0010, 0x0006, 0x0043, 0x0018
_P256: Final = 3
_CURVES: Final = {_P256: ec.SECP256R1(), 4: ec.SECP384R1(), 5: ec.SECP521R1()}
# A TPM writes 0 for it.
_DEFAULT_EXPONENT: Final = 65537

_FIXED: Final = 1 << 1 | 1 << 4 | 1 << 5  # fixedTPM, fixedParent, sensitiveDataOrigin
_USER_WITH_AUTH, _ADMIN_WITH_POLICY = 1 << 6, 1 << 7
_NO_LOCKOUT: Final = 1 << 10
_RESTRICTED, _DECRYPT, _SIGN = 1 << 16, 1 << 17, 1 << 18

ATTESTATION_TEMPLATE: Final = (
    u16(_ECC)
    + u16(_SHA256)
    # Its password is empty, so there is nothing to be locked out from: without this a TPM may
    # answer the first use of a key with TPM_RC_RETRY.
    + u32(_FIXED | _USER_WITH_AUTH | _NO_LOCKOUT | _RESTRICTED | _SIGN)
    + sized(b"")
    + u16(_NULL)
    + u16(_ECDSA) + u16(_SHA256)
    + u16(_P256)
    + u16(_NULL)
    + sized(b"") + sized(b"")
)  # fmt: skip
"""The key that signs quotes: restricted, so that it signs what the TPM made and nothing else."""

_ENDORSEMENT: Final = (
    u16(_SHA256)
    + u32(_FIXED | _ADMIN_WITH_POLICY | _RESTRICTED | _DECRYPT)
    # PolicyA: whoever may use the endorsement hierarchy.
    + sized(bytes.fromhex("837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa"))
    + u16(_AES) + u16(128) + u16(_CFB)
    + u16(_NULL)
)  # fmt: skip
RSA_ENDORSEMENT_TEMPLATE: Final = u16(_RSA) + _ENDORSEMENT + u16(2048) + u32(0) + sized(bytes(256))
ECC_ENDORSEMENT_TEMPLATE: Final = (
    u16(_ECC) + _ENDORSEMENT + u16(_P256) + u16(_NULL) + sized(bytes(32)) + sized(bytes(32))
)


def key_in(area: bytes) -> bytes:
    """The public key of a TPMT_PUBLIC, as DER SubjectPublicKeyInfo.

    Raises:
        EvidenceUnavailableError: it is no key that is used here.
    """
    public = TpmAnswer(area)
    kind = public.number(2)
    public.take(2 + 4)  # name algorithm, attributes
    public.sized()  # policy
    if public.number(2) != _NULL:  # a symmetric algorithm, which a signing key does not have
        public.take(4)
    _skip_scheme(public)
    try:
        key = _rsa_key(public) if kind == _RSA else _ec_key(public, kind)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise EvidenceUnavailableError(f"a key of the TPM cannot be used: {error}") from error
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _skip_scheme(public: TpmAnswer) -> None:
    """A TPMT scheme: nothing, or one with its hash."""
    if public.number(2) != _NULL:
        public.take(2)


def _rsa_key(public: TpmAnswer) -> rsa.RSAPublicKey:
    public.take(2)  # bits
    exponent = public.number(4) or _DEFAULT_EXPONENT
    return rsa.RSAPublicNumbers(exponent, int.from_bytes(public.sized())).public_key()


def _ec_key(public: TpmAnswer, kind: int) -> ec.EllipticCurvePublicKey:
    if kind != _ECC:
        raise EvidenceUnavailableError(f"a key of the TPM is of type {kind:#x}, not RSA or ECC")
    curve = _CURVES.get(public.number(2))
    _skip_scheme(public)  # the key derivation's
    if curve is None:
        raise EvidenceUnavailableError("a key of the TPM is on none of P-256, P-384 and P-521")
    x, y = int.from_bytes(public.sized()), int.from_bytes(public.sized())
    return ec.EllipticCurvePublicNumbers(x, y, curve).public_key()
