"""TPM 2.0 quotes: the registers of a machine, signed by a key that lives in its TPM.

A quote is worth what is known about the key that signed it. So the key comes as a `CertifiedKey`,
which says who certified it: a registration (after credential activation), or the report of a
confidential machine (`azure`). A key that a message brings along is never one.
"""

import hashlib
import hmac
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import Final, TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from tabasco.verify import named
from tabasco.verify.errors import EvidenceError, Fault, VerificationStage, malformed
from tabasco.verify.kinds import EvidenceKind
from tabasco.verify.named import Named
from tabasco.verify.proven import Concern, HexNumber, Proven
from tabasco.verify.tpm.structures import (
    BANK_BYTES,
    AttestationKey,
    QuoteSignature,
    TpmQuote,
    parse_quote,
)
from veracruz_utils.frozen import frozen
from veracruz_utils.public_keys import NIST_CURVES, RSA_BITS

_MAX_KEY_BYTES: Final = 2048

Registers: TypeAlias = Mapping[str, Mapping[int, bytes]]
"""Register values by bank (`sha256`) and index."""


@frozen
class CertifiedKey:
    """An attestation key that somebody vouches for.

    Attributes:
        key: RSA of 2048 to 8192 bits, or on P-256, P-384 or P-521.
        certified_by: who vouches, for people.
        valid_until: when this ends.
        named: certificates and keys that this rests on.
    """

    key: AttestationKey
    certified_by: str
    valid_until: datetime
    named: tuple[Named, ...] = ()


def registered_key(
    public_key: bytes, *, registered: Collection[bytes], valid_until: datetime
) -> CertifiedKey:
    """The key in `public_key`, if it is one of those registered.

    Args:
        public_key: SubjectPublicKeyInfo in DER.
        registered: SHA-256 digests of such.
        valid_until: when the registration ends.

    Raises:
        EvidenceError: it is not registered, or not a key that is used here.
    """
    digest = hashlib.sha256(public_key).digest()
    if digest not in registered:
        raise EvidenceError(
            Fault.UNKNOWN_SIGNER,
            VerificationStage.SIGNATURE,
            f"attestation key {digest.hex()} is not registered: certify it first",
        )
    if len(public_key) > _MAX_KEY_BYTES:
        raise malformed(f"an attestation key of {len(public_key)} bytes")
    try:
        key = load_der_public_key(public_key)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise malformed("the attestation key cannot be read") from error
    return CertifiedKey(usable_key(key), "registration", valid_until)


def usable_key(key: object) -> AttestationKey:
    """`key`, if it is of a kind and size that quotes are verified with.

    Raises:
        EvidenceError: it is not.
    """
    if isinstance(key, rsa.RSAPublicKey) and key.key_size in RSA_BITS:
        return key
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in NIST_CURVES:
        return key
    raise EvidenceError(
        Fault.UNSUPPORTED_ALGORITHM,
        VerificationStage.FORMAT,
        "an attestation key of a kind not used here",
    )


def verify_quote(
    message: bytes,
    signature: QuoteSignature,
    registers: Registers,
    *,
    key: CertifiedKey,
    nonce: bytes | None = None,
) -> Proven:
    """What an authentic quote proves; `report_data` is its extra data.

    Args:
        message: the TPMS_ATTEST, as it was signed.
        signature: over it.
        registers: the values that the quote has to cover, these and no others.
        key: that has to have signed.
        nonce: what the quote has to answer; None leaves it to the caller.

    Raises:
        EvidenceError: for anything that is not authentic.
    """
    quote = parse_quote(message)
    # (1) the key's signature over the very bytes
    signature.verify(key.key, message)
    # (2) the registers are the quoted ones
    _check_registers(quote, registers, signature.algorithm.name)
    # (3) freshness
    if nonce is not None and not hmac.compare_digest(quote.extra_data, nonce):
        raise EvidenceError(
            Fault.NONCE,
            VerificationStage.BINDING,
            f"the quote answers nonce {quote.extra_data.hex()}, expected {nonce.hex()[:256]}",
        )
    return Proven(
        kind=EvidenceKind.TPM,
        measurements=_measurements(registers),
        report_data=quote.extra_data,
        debug=None,
        valid_until=key.valid_until,
        facts={
            "certified-by": key.certified_by,
            "clock": quote.clock,
            "clock-safe": str(quote.clock_safe).lower(),
            "firmware-version": HexNumber(quote.firmware_version),
            "reset-count": quote.reset_count,
            "restart-count": quote.restart_count,
        },
        concerns=tuple(_concerns(registers)),
        named=(named.key("attestation key", key.key), *key.named),
    )


def _concerns(registers: Registers) -> Iterator[Concern]:
    if "sha1" in registers:
        yield Concern(
            "tpm.weak-registers",
            Fault.UNSUPPORTED_ALGORITHM,
            "the quote is over registers of the SHA-1 bank, which two different boots can be made "
            "to agree in",
        )


def _check_registers(quote: TpmQuote, registers: Registers, hash_name: str) -> None:
    covered = {each.bank: set(each.registers) for each in quote.selections}
    given = {bank: set(values) for bank, values in registers.items()}
    # A value that the quote does not cover would be believed without anybody having signed it.
    if covered != given or not any(covered.values()):
        raise malformed("the registers given are not those that the quote covers")
    # TPM2_Quote hashes registers by the hash of its signing scheme, in the order of the selections.
    digest = hashlib.new(hash_name)
    for selection in quote.selections:
        for index in selection.registers:
            value = registers[selection.bank][index]
            if len(value) != BANK_BYTES[selection.bank]:
                raise malformed(f"register {index} of {selection.bank} has {len(value)} bytes")
            digest.update(value)
    if not hmac.compare_digest(digest.digest(), quote.digest):
        raise EvidenceError(
            Fault.MEASUREMENT,
            VerificationStage.BINDING,
            f"the quote is over registers with digest {quote.digest.hex()}, "
            f"those given have {digest.hexdigest()}",
        )


def _measurements(registers: Registers) -> dict[str, bytes]:
    return {
        f"pcr{index}" if bank == "sha256" else f"{bank}.pcr{index}": value
        for bank, values in sorted(registers.items())
        for index, value in sorted(values.items())
    }
