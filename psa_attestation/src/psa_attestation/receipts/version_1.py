"""Receipts of the first format, which runtimes before version 2 of it wrote: they stay readable.

Such a receipt is a COSE_Sign1 like those of today, but for its protected header, which holds `alg`
alone. There is none of a run that failed. The payload is a map with exactly these keys:

     0  text      the format, `veracruz-receipt-v1`
     1  bytes 32  SHA-256 of the policy
     2  bytes 32  SHA-256 of the program
     3  array     the inputs, as in receipts of today
     4  bytes 32  SHA-256 of the output
     5  int 32    the program's return code
     6  uint 32   the round, from 1
     7  text      the strategy, at most 32 characters
     8  text      the engine and its version, at most 64 characters
     9  uint 64   the run's duration in milliseconds
    10  uint 64   the fuel used; absent when it was not counted
"""

from typing import Final

from psa_attestation.cbor.members import integer, octets, plain_text, refused, required
from psa_attestation.cbor.values import Key, Value
from psa_attestation.errors import ErrorCode
from psa_attestation.receipts.reading import DIGEST, INT32, UINT64, read_inputs
from psa_attestation.receipts.receipt import InputCommitment
from veracruz_utils.frozen import frozen

RECEIPT_FORMAT_1: Final = "veracruz-receipt-v1"


@frozen
class ReceiptV1:
    """What a runtime said it did in one round, in the first format."""

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


def read_receipt_v1(members: dict[Key, Value]) -> ReceiptV1:
    """The receipt in a payload whose format is `RECEIPT_FORMAT_1`.

    Raises:
        AttestationError: stage `claims`.
    """
    if not members.keys() <= set(range(11)):
        raise refused(ErrorCode.CLAIM_VALUE, "the receipt has a field that is not known")
    return ReceiptV1(
        policy_digest=octets(required(members, 1, "policy"), "the policy digest", DIGEST),
        program_digest=octets(required(members, 2, "program"), "the program digest", DIGEST),
        inputs=read_inputs(required(members, 3, "inputs")),
        output_digest=octets(required(members, 4, "output"), "the output digest", DIGEST),
        return_code=integer(required(members, 5, "return code"), "the return code", INT32),
        round=integer(required(members, 6, "round"), "the round", range(1, 2**32)),
        strategy=plain_text(required(members, 7, "strategy"), "the strategy", max_chars=32),
        engine=plain_text(required(members, 8, "engine"), "the engine", max_chars=64),
        run_ms=integer(required(members, 9, "duration"), "the duration", UINT64),
        fuel=integer(members[10], "the fuel", UINT64) if 10 in members else None,
    )
