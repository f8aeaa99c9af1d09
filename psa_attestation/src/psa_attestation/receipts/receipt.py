"""Receipts: what a runtime did, signed with the key of the certificate that was attested.

A receipt is a Signed Statement of SCITT (`psa_attestation.statements`): a COSE_Sign1 (ES256, tag
18) whose protected header names the runtime's certificate and the policy. Its content type is
`application/vnd.veracruz.receipt+cbor`. `x5chain` (33) in its unprotected header is the runtime's
certificate in DER, which the reader compares with the attested digest before it uses the key in it.

There is one for each run, whether it ended well or not. They are numbered, and each names the
digest of the one before it, so that none can be left out unseen. The payload is a map with exactly
these keys; what is absent in some receipts says when:

     0  text      the format, `veracruz-receipt-v2`
     1  bytes 32  SHA-256 of the policy
     2  bytes 32  SHA-256 of the program
     3  uint 32   the number of the receipt, from 1
     4  bytes 32  SHA-256 of the receipt before it, closed; absent in the first
     5  uint 32   the round, from 1
     6  uint 32   the attempt at this round, from 1
     7  array     the inputs, in the order the program saw them: each an array of
                  client id (uint 32), package id (uint 32), kind (0 data, 1 stream),
                  commitment (bytes 32)
     8  uint      how the run ended: 0 the program returned 0, 1 it trapped, 2 it reached a limit,
                  3 the process that ran it was lost, 4 it returned 0 and its result was withheld,
                  5 it returned an error code
     9  bytes 32  commitment to the details of the run
    10  array     the client ids (uint 32) of the readers, who may have result and details
    11  text      the strategy, at most 32 characters
    12  text      the engine and its version, at most 64 characters
    13  bool      whether the policy says `debug`
    14  array     the layers of isolation that the runtime has, texts of at most 32 characters
    15  bytes 32  the measurement of the image that the runtime was started from
    16  bytes 32  the seed of the program's random numbers; absent when they cannot be had again
    17  map       the privacy budget after this run; absent without one: 0 epsilon spent, 1 epsilon
                  left, 2 delta spent, 3 delta left, numbers as texts of at most 64 characters
    18  uint 64   the time, in seconds since 1970, by the host's clock: nobody vouches for it
    19  bool      false: NaNs kept the bits that processor and strategy gave them; absent when each
                  had the same bits everywhere, as they had before receipts said anything of it

Every principal may have every receipt, but not everything about the run: what the program says in
numbers, and the digest of its result, by which a likely result can be found, are for readers. Those
are its details, a map with these keys, of which none is there that does not apply:

     0  int 32    the program's return code
     1  bytes 32  SHA-256 of the result that the readers may have
     2  uint 64   the run's duration in milliseconds
     3  uint 64   the fuel used, if it was counted

An *open* receipt has them in its unprotected header, where nothing is signed: label
`veracruz-details`, an array of a salt (32 bytes) and the encoded map (bytes). The commitment is
over both. A *closed* one does not have that header parameter, and is otherwise the same.
"""

import enum
from typing import Final, Literal

from psa_attestation.binding import binding_digest
from psa_attestation.cbor.encoding import encode
from psa_attestation.cbor.values import WritingError
from veracruz_utils.frozen import frozen

RECEIPT_FORMAT: Final = "veracruz-receipt-v2"
CONTENT_TYPE: Final = "application/vnd.veracruz.receipt+cbor"
# An input takes 46 bytes at most, so all of them 184 KiB; a reader 5, so all of them 20 KiB; the
# rest is for the certificate.
MAX_RECEIPT_BYTES: Final = 256 * 1024
MAX_RECEIPT_INPUTS: Final = 4096
MAX_RECEIPT_READERS: Final = 4096
MAX_RECEIPT_LAYERS: Final = 16
SALT_BYTES: Final = 32
DETAILS: Final = "veracruz-details"
"""The label of the details in an open receipt's unprotected header."""
MAX_NUMBER_CHARS: Final = 64
"""Of a number in a privacy budget."""

InputKind = Literal["data", "stream"]
INPUT_KINDS: Final[tuple[InputKind, ...]] = ("data", "stream")

_COMMITMENT_LABEL: Final = "veracruz-input-commitment-v1"
_DETAILS_LABEL: Final = "veracruz-run-details-v1"
_DIGEST_BYTES: Final = 32
_INT32: Final = range(-(2**31), 2**31)
_UINT32: Final = range(2**32)
_UINT64: Final = range(2**64)


class RunEnd(enum.Enum):
    """How a run ended; the value is its number in receipts."""

    FINISHED = 0
    TRAPPED = 1
    LIMIT_REACHED = 2
    GUEST_LOST = 3
    WITHHELD = 4
    ERROR_CODE = 5

    @property
    def returned(self) -> bool:
        """Whether the program came to its end."""
        return self in (RunEnd.FINISHED, RunEnd.WITHHELD, RunEnd.ERROR_CODE)


@frozen
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


@frozen
class PrivacyBalance:
    """What a run left of the privacy budget: decimal numbers, as text."""

    epsilon_spent: str
    epsilon_left: str
    delta_spent: str
    delta_left: str

    def __post_init__(self) -> None:
        for number in (self.epsilon_spent, self.epsilon_left, self.delta_spent, self.delta_left):
            _check(0 < len(number) <= MAX_NUMBER_CHARS, "a number of the privacy budget is no text")


@frozen
class RunDetails:
    """What only readers learn of a run; None is what does not apply."""

    return_code: int | None = None
    output_digest: bytes | None = None
    run_ms: int | None = None
    fuel: int | None = None

    def __post_init__(self) -> None:
        _check(self.return_code is None or self.return_code in _INT32, "a code is not of 32 bits")
        digest = self.output_digest
        _check(digest is None or len(digest) == _DIGEST_BYTES, "a digest is not of 32 bytes")
        for size in (self.run_ms, self.fuel):
            _check(size is None or size in _UINT64, "a number is not of 64 bits")

    def encode(self) -> bytes:
        """As receipts have them."""
        members = (self.return_code, self.output_digest, self.run_ms, self.fuel)
        return encode({key: each for key, each in enumerate(members) if each is not None})


@frozen
class Receipt:
    """What a runtime did in one run, within the limits that the module's docstring gives.

    `details` are None in a closed receipt, which has their commitment alone.

    Raises:
        WritingError: a field is beyond its limits, so that nothing is signed that a reader would
            refuse.
    """

    policy_digest: bytes
    program_digest: bytes
    number: int
    previous_receipt: bytes | None
    round: int
    attempt: int
    inputs: tuple[InputCommitment, ...]
    end: RunEnd
    details: RunDetails | None
    readers: tuple[int, ...]
    strategy: str
    engine: str
    debug: bool
    isolation: tuple[str, ...]
    measurement: bytes
    host_time: int
    seed: bytes | None = None
    privacy: PrivacyBalance | None = None
    canonical_nans: bool = True

    def __post_init__(self) -> None:
        self._check_digests()
        self._check_lists()
        for number in (self.number, self.round, self.attempt):
            _check(0 < number < 2**32, f"a number is {number}, the first is 1")
        _check((self.number == 1) == (self.previous_receipt is None), "only the first has none")
        _check(len(self.strategy) <= 32, "the strategy has more than 32 characters")
        _check(len(self.engine) <= 64, "the engine has more than 64 characters")
        words = "".join([self.strategy, self.engine, *self.isolation])
        _check(words.isprintable(), "a text has characters that are not printable")
        _check(self.host_time in _UINT64, "the time is not of 64 bits")
        if self.details is not None:
            _check_end(self.end, self.details, private=self.privacy is not None)

    def _check_digests(self) -> None:
        digests = (self.policy_digest, self.program_digest, self.measurement)
        others = (self.previous_receipt, self.seed)
        for digest in (*digests, *(other for other in others if other is not None)):
            _check(len(digest) == _DIGEST_BYTES, "a digest is not of 32 bytes")

    def _check_lists(self) -> None:
        _check_length(self.inputs, MAX_RECEIPT_INPUTS, "inputs")
        _check_length(self.readers, MAX_RECEIPT_READERS, "readers")
        _check_length(self.isolation, MAX_RECEIPT_LAYERS, "layers of isolation")
        _check(all(each in _UINT32 for each in self.readers), "a client id is not of 32 bits")
        _check(all(len(each) <= 32 for each in self.isolation), "a layer's name is too long")


def _check_end(end: RunEnd, details: RunDetails, *, private: bool) -> None:
    """Refuse details that contradict how the run is said to have ended.

    Under privacy there need be no duration, and no code of a run whose result was withheld.
    """
    code = details.return_code
    of_code, of_time = code is not None, details.run_ms is not None
    _check(
        of_code == end.returned or (private and end is RunEnd.WITHHELD),
        "a return code goes with a program that returned",
    )
    _check(
        of_time == end.returned or (private and not of_time),
        "a duration goes with one that returned",
    )
    succeeded = end in (RunEnd.FINISHED, RunEnd.WITHHELD)
    _check(code is None or (code == 0) == succeeded, f"the code is {code}, the end {end.name}")
    has_result = details.output_digest is not None
    _check(not has_result or end is RunEnd.FINISHED, "a run that ended so has no result")


def commit_details(salt: bytes, details: bytes) -> bytes:
    """The commitment (32 bytes) of the encoded details of a run, under a salt of 32 bytes."""
    return binding_digest(_DETAILS_LABEL, salt, details)


def commit(salt: bytes, digest: bytes) -> bytes:
    """The commitment (32 bytes) of an input with this SHA-256, under a salt its provider knows.

    Readers of the receipt cannot try out likely inputs against it; the provider, who was told the
    32-byte salt, can show that its input was used.
    """
    # Without the salt, whoever holds the receipt could guess a small input and compare digests.
    return binding_digest(_COMMITMENT_LABEL, salt, digest)


def _check_length(entries: tuple[object, ...], most: int, what: str) -> None:
    _check(len(entries) <= most, f"{len(entries)} {what}, at most {most} are listed")


def _check(holds: bool, otherwise: str) -> None:  # noqa: FBT001
    if not holds:
        raise WritingError(f"no receipt says this: {otherwise}")
