"""Receipts: what a runtime did, signed with the key of the certificate that was attested.

A receipt is a COSE_Sign1 (ES256, tag 18). `x5chain` (33) in its unprotected header is the runtime's
certificate in DER, which the reader compares with the attested digest before it uses the key in it.
The payload is a map with exactly these keys:

     0  text      the format, `veracruz-receipt-v1`
     1  bytes 32  SHA-256 of the policy
     2  bytes 32  SHA-256 of the program
     3  array     the inputs, in the order the program saw them: each an array of
                  client id (uint 32), package id (uint 32), kind (0 data, 1 stream),
                  commitment (bytes 32)
     4  bytes 32  SHA-256 of the output
     5  int 32    the program's return code
     6  uint 32   the round, from 1
     7  text      the strategy, at most 32 characters
     8  text      the engine and its version, at most 64 characters
     9  uint 64   the run's duration in milliseconds
    10  uint 64   the fuel used; absent when it was not counted
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec

from psa_attestation._fields import array, integer, mapping, octets, refused, required, text
from psa_attestation.binding import binding_digest
from psa_attestation.cbor import DecodeLimits, Encodable, Key, Value, decode, encode
from psa_attestation.cose import ENVELOPE_LIMITS, X5CHAIN, parse, sign1
from psa_attestation.errors import AttestationError, Code, Stage

RECEIPT_FORMAT: Final = "veracruz-receipt-v1"
MAX_RECEIPT_BYTES: Final = 256 * 1024
MAX_RECEIPT_INPUTS: Final = 4096

_COMMITMENT_LABEL: Final = "veracruz-input-commitment-v1"

InputKind = Literal["data", "stream"]
_KINDS: Final[tuple[InputKind, ...]] = ("data", "stream")

_DIGEST: Final = (32,)
_INT32: Final = range(-(2**31), 2**31)
_UINT32: Final = range(2**32)
_UINT64: Final = range(2**64)
_ENVELOPE: Final = DecodeLimits(
    max_bytes=MAX_RECEIPT_BYTES, max_items=64, max_depth=8, tags=ENVELOPE_LIMITS.tags
)
_PAYLOAD: Final = DecodeLimits(
    max_bytes=MAX_RECEIPT_BYTES, max_items=64 + 5 * MAX_RECEIPT_INPUTS, max_depth=4
)


@dataclass(frozen=True, slots=True)
class InputCommitment:
    """One input: whose, which, and a commitment (32 bytes) to its content."""

    client_id: int
    package_id: int
    kind: InputKind
    commitment: bytes


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a runtime did in one round; the module's docstring gives each field's limits."""

    policy_digest: bytes
    program_digest: bytes
    inputs: tuple[InputCommitment, ...]
    output_digest: bytes
    return_code: int
    round: int
    strategy: str
    engine: str
    run_ms: int
    fuel: int | None = None


def commit(salt: bytes, digest: bytes) -> bytes:
    """The commitment (32 bytes) of an input with this SHA-256, under a salt its provider knows.

    Readers of the receipt cannot try out likely inputs against it; the provider, who was told the
    32-byte salt, can show that its input was used.
    """
    return binding_digest(_COMMITMENT_LABEL, salt, digest)


def sign_receipt(receipt: Receipt, key: ec.EllipticCurvePrivateKey, certificate: bytes) -> bytes:
    """`receipt` signed by the runtime's TLS key.

    Args:
        receipt: what was done.
        key: the key of `certificate`, on P-256.
        certificate: the runtime's TLS certificate in DER.

    Raises:
        AttestationError: `receipt` is not well-formed, or `certificate` is not `key`'s.
    """
    if _public_key(certificate) != key.public_key():
        raise _bad_certificate("it is of another key")
    payload = encode(_encode_receipt(receipt))
    _decode_receipt(decode(payload, _PAYLOAD))
    return sign1(payload, key, unprotected={X5CHAIN: certificate})


def verify_receipt(data: bytes, *, certificate_digest: bytes) -> Receipt:
    """The receipt in `data`, if the runtime with the attested certificate signed it.

    Args:
        data: as `sign_receipt` gives it, at most 256 KiB.
        certificate_digest: SHA-256 of the certificate (DER), from a verified token.

    Raises:
        AttestationError: anything else.
    """
    message = parse(data, _ENVELOPE)
    certificate = octets(
        required(message.unprotected, X5CHAIN, "the certificate"),
        "the certificate",
        range(1, MAX_RECEIPT_BYTES),
    )
    found = hashlib.sha256(certificate).digest()
    if not hmac.compare_digest(found, certificate_digest):
        raise AttestationError(
            Code.CERTIFICATE_MISMATCH,
            Stage.BINDING,
            f"the receipt is by certificate {found.hex()}, attested is {certificate_digest.hex()}",
        )
    payload = message.verify(_public_key(certificate))
    return _decode_receipt(decode(payload, _PAYLOAD))


def _public_key(certificate: bytes) -> ec.EllipticCurvePublicKey:
    try:
        key = x509.load_der_x509_certificate(certificate).public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _bad_certificate("it is not an X.509 certificate we can read") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp256r1":
        raise _bad_certificate("its key is not on P-256")
    return key


def _bad_certificate(why: str) -> AttestationError:
    return AttestationError(
        Code.CERTIFICATE, Stage.KEY, f"the receipt's certificate is refused: {why}"
    )


def _encode_receipt(receipt: Receipt) -> dict[int, Encodable]:
    members: dict[int, Encodable] = {
        0: RECEIPT_FORMAT,
        1: receipt.policy_digest,
        2: receipt.program_digest,
        3: [_encode_input(commitment) for commitment in receipt.inputs],
        4: receipt.output_digest,
        5: receipt.return_code,
        6: receipt.round,
        7: receipt.strategy,
        8: receipt.engine,
        9: receipt.run_ms,
    }
    if receipt.fuel is not None:
        members[10] = receipt.fuel
    return members


def _encode_input(commitment: InputCommitment) -> list[Encodable]:
    kind = _KINDS.index(commitment.kind)
    return [commitment.client_id, commitment.package_id, kind, commitment.commitment]


def _decode_receipt(value: Value) -> Receipt:
    members = mapping(value, "the receipt")
    if not members.keys() <= set(range(11)):
        raise refused(Code.CLAIM_VALUE, "the receipt has a field that is not known")
    form = text(required(members, 0, "the format"), "the format", max_chars=32)
    if form != RECEIPT_FORMAT:
        raise refused(Code.PROFILE_UNKNOWN, f"the format is {form!r}, not {RECEIPT_FORMAT}")
    inputs = array(required(members, 3, "inputs"), "inputs", max_entries=MAX_RECEIPT_INPUTS)
    return Receipt(
        policy_digest=octets(required(members, 1, "policy"), "the policy digest", _DIGEST),
        program_digest=octets(required(members, 2, "program"), "the program digest", _DIGEST),
        inputs=tuple(_input(entry) for entry in inputs),
        output_digest=octets(required(members, 4, "output"), "the output digest", _DIGEST),
        return_code=integer(required(members, 5, "return code"), "the return code", _INT32),
        round=integer(required(members, 6, "round"), "the round", range(1, 2**32)),
        strategy=text(required(members, 7, "strategy"), "the strategy", max_chars=32),
        engine=text(required(members, 8, "engine"), "the engine", max_chars=64),
        run_ms=integer(required(members, 9, "duration"), "the duration", _UINT64),
        fuel=_fuel(members),
    )


def _fuel(members: Mapping[Key, Value]) -> int | None:
    return integer(members[10], "the fuel", _UINT64) if 10 in members else None


def _input(value: Value) -> InputCommitment:
    members = array(value, "an input", max_entries=4)
    if len(members) != 4:
        raise refused(Code.CLAIM_VALUE, f"an input has {len(members)} members, expected 4")
    return InputCommitment(
        client_id=integer(members[0], "a client id", _UINT32),
        package_id=integer(members[1], "a package id", _UINT32),
        kind=_KINDS[integer(members[2], "a kind", range(len(_KINDS)))],
        commitment=octets(members[3], "a commitment", _DIGEST),
    )
