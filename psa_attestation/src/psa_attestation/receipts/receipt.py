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

from dataclasses import dataclass
from typing import Final, Literal

from psa_attestation.binding import binding_digest
from psa_attestation.cbor.values import WritingError

RECEIPT_FORMAT: Final = "veracruz-receipt-v1"
# An input takes 46 bytes at most, so all of them 184 KiB; the rest is for the certificate.
MAX_RECEIPT_BYTES: Final = 256 * 1024
MAX_RECEIPT_INPUTS: Final = 4096

InputKind = Literal["data", "stream"]
INPUT_KINDS: Final[tuple[InputKind, ...]] = ("data", "stream")

_COMMITMENT_LABEL: Final = "veracruz-input-commitment-v1"
_DIGEST_BYTES: Final = 32
_INT32: Final = range(-(2**31), 2**31)
_UINT32: Final = range(2**32)
_UINT64: Final = range(2**64)


@dataclass(frozen=True, slots=True)
class InputCommitment:
    """One input: whose, which, and a commitment (32 bytes) to its content."""

    client_id: int
    package_id: int
    kind: InputKind
    commitment: bytes

    def __post_init__(self) -> None:
        _check(self.client_id in _UINT32, "a client id is not of 32 bits")
        _check(self.package_id in _UINT32, "a package id is not of 32 bits")
        _check(len(self.commitment) == _DIGEST_BYTES, "a commitment is not of 32 bytes")


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a runtime did in one round, within the limits that the module's docstring gives.

    Raises:
        WritingError: a field is beyond its limits, so that nothing is signed that a reader would
            refuse.
    """

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

    def __post_init__(self) -> None:
        for digest in (self.policy_digest, self.program_digest, self.output_digest):
            _check(len(digest) == _DIGEST_BYTES, "a digest is not of 32 bytes")
        inputs = len(self.inputs)
        _check(
            inputs <= MAX_RECEIPT_INPUTS,
            f"{inputs} inputs, at most {MAX_RECEIPT_INPUTS} are listed",
        )
        _check(self.return_code in _INT32, "the return code is not of 32 bits")
        _check(0 < self.round < 2**32, f"the round is {self.round}, the first is 1")
        _check(len(self.strategy) <= 32, "the strategy has more than 32 characters")
        _check(len(self.engine) <= 64, "the engine has more than 64 characters")
        _check(self.run_ms in _UINT64, "the duration is not of 64 bits")
        _check(self.fuel is None or self.fuel in _UINT64, "the fuel is not of 64 bits")


def commit(salt: bytes, digest: bytes) -> bytes:
    """The commitment (32 bytes) of an input with this SHA-256, under a salt its provider knows.

    Readers of the receipt cannot try out likely inputs against it; the provider, who was told the
    32-byte salt, can show that its input was used.
    """
    # Without the salt, whoever holds the receipt could guess a small input and compare digests.
    return binding_digest(_COMMITMENT_LABEL, salt, digest)


def _check(holds: bool, otherwise: str) -> None:  # noqa: FBT001
    if not holds:
        raise WritingError(f"no receipt says this: {otherwise}")
