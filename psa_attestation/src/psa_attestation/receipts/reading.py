"""What a receipt's payload says, once it is authentic."""

import hmac
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, TypeVar

from psa_attestation.cbor.decoding import DecodeLimits, decode
from psa_attestation.cbor.members import (
    array,
    boolean,
    integer,
    mapping,
    octets,
    plain_text,
    refused,
    required,
)
from psa_attestation.cbor.values import Key, Value, WritingError
from psa_attestation.errors import ErrorCode
from psa_attestation.receipts.receipt import (
    INPUT_KINDS,
    MAX_NUMBER_CHARS,
    MAX_RECEIPT_INPUTS,
    MAX_RECEIPT_LAYERS,
    MAX_RECEIPT_READERS,
    InputCommitment,
    PrivacyBalance,
    Receipt,
    RunDetails,
    RunEnd,
    commit_details,
)

DIGEST: Final = (32,)
INT32: Final = range(-(2**31), 2**31)
UINT32: Final = range(2**32)
UINT64: Final = range(2**64)
_FROM_ONE: Final = range(1, 2**32)
_KEYS: Final = frozenset(range(20))
_DETAILS_KEYS: Final = frozenset(range(4))
_MAX_DETAILS_BYTES: Final = 128
_DETAILS_LIMITS: Final = DecodeLimits(max_bytes=_MAX_DETAILS_BYTES, max_items=16, max_depth=2)
_BALANCE: Final = ("epsilon spent", "epsilon left", "delta spent", "delta left")

_T = TypeVar("_T")


def read_receipt(members: Mapping[Key, Value], details: RunDetails | None) -> Receipt:
    """The receipt in a payload whose format is `RECEIPT_FORMAT`.

    Args:
        members: of the payload.
        details: those that it commits to, if it is open.

    Raises:
        AttestationError: stage `claims`.
    """
    if not members.keys() <= _KEYS:
        raise refused(ErrorCode.CLAIM_VALUE, "the receipt has a field that is not known")
    digest, number = partial(octets, sizes=DIGEST), partial(integer, allowed=_FROM_ONE)
    try:
        return Receipt(
            policy_digest=_have(members, 1, "the policy digest", digest),
            program_digest=_have(members, 2, "the program digest", digest),
            number=_have(members, 3, "the receipt's number", number),
            previous_receipt=_may(members, 4, "the receipt before", digest),
            round=_have(members, 5, "the round", number),
            attempt=_have(members, 6, "the attempt", number),
            inputs=read_inputs(required(members, 7, "inputs")),
            end=RunEnd(_have(members, 8, "the end", partial(integer, allowed=range(len(RunEnd))))),
            details=details,
            readers=_have(members, 10, "the readers", _readers),
            strategy=_have(members, 11, "the strategy", partial(plain_text, max_chars=32)),
            engine=_have(members, 12, "the engine", partial(plain_text, max_chars=64)),
            debug=_have(members, 13, "debug", boolean),
            isolation=_have(members, 14, "the layers of isolation", _layers),
            measurement=_have(members, 15, "the measurement", digest),
            seed=_may(members, 16, "the seed", digest),
            privacy=_may(members, 17, "the privacy budget", _balance),
            host_time=_have(members, 18, "the host's time", partial(integer, allowed=UINT64)),
            canonical_nans=_may(members, 19, "the bits of NaNs", _left) is None,
        )
    except WritingError as error:  # each member may be, and not all together
        raise refused(ErrorCode.CLAIM_VALUE, str(error)) from error


def read_details(disclosed: Value, members: Mapping[Key, Value]) -> RunDetails:
    """The details that an open receipt discloses, if they are those that its payload commits to.

    Raises:
        AttestationError: stage `claims`.
    """
    commitment = details_commitment(members)
    pair = array(disclosed, "the details", max_entries=2)
    if len(pair) != 2:
        raise refused(ErrorCode.CLAIM_VALUE, "the details are not a salt and what it is for")
    salt = octets(pair[0], "the salt of the details", DIGEST)
    encoded = octets(pair[1], "the details", range(_MAX_DETAILS_BYTES + 1))
    # Before it is decoded: everybody can put something into this header.
    if not hmac.compare_digest(commit_details(salt, encoded), commitment):
        raise refused(ErrorCode.CLAIM_VALUE, "the details are not those that the receipt is about")
    found = mapping(decode(encoded, _DETAILS_LIMITS), "the details")
    if not found.keys() <= _DETAILS_KEYS:
        raise refused(ErrorCode.CLAIM_VALUE, "the details have a field that is not known")
    size = partial(integer, allowed=UINT64)
    return RunDetails(
        return_code=_may(found, 0, "the return code", partial(integer, allowed=INT32)),
        output_digest=_may(found, 1, "the output digest", partial(octets, sizes=DIGEST)),
        run_ms=_may(found, 2, "the duration", size),
        fuel=_may(found, 3, "the fuel", size),
    )


def details_commitment(members: Mapping[Key, Value]) -> bytes:
    """What the payload has in place of the details.

    Raises:
        AttestationError: stage `claims`.
    """
    return octets(required(members, 9, "the details"), "the commitment to the details", DIGEST)


def read_inputs(value: Value) -> tuple[InputCommitment, ...]:
    """The inputs of a receipt of either format.

    Raises:
        AttestationError: stage `claims`.
    """
    entries = array(value, "inputs", max_entries=MAX_RECEIPT_INPUTS)
    return tuple(_input(entry) for entry in entries)


def _input(value: Value) -> InputCommitment:
    members = array(value, "an input", max_entries=4)
    if len(members) != 4:
        raise refused(ErrorCode.CLAIM_VALUE, f"an input has {len(members)} members, expected 4")
    return InputCommitment(
        client_id=integer(members[0], "a client id", UINT32),
        package_id=integer(members[1], "a package id", UINT32),
        kind=INPUT_KINDS[integer(members[2], "a kind", range(len(INPUT_KINDS)))],
        commitment=octets(members[3], "a commitment", DIGEST),
    )


def _have(
    members: Mapping[Key, Value], key: int, name: str, read: Callable[[Value, str], _T]
) -> _T:
    return read(required(members, key, name), name)


def _may(
    members: Mapping[Key, Value], key: int, name: str, read: Callable[[Value, str], _T]
) -> _T | None:
    return read(members[key], name) if key in members else None


def _readers(value: Value, name: str) -> tuple[int, ...]:
    entries = array(value, name, max_entries=MAX_RECEIPT_READERS)
    return tuple(integer(entry, "a reader", UINT32) for entry in entries)


def _layers(value: Value, name: str) -> tuple[str, ...]:
    entries = array(value, name, max_entries=MAX_RECEIPT_LAYERS)
    return tuple(plain_text(entry, "a layer of isolation", max_chars=32) for entry in entries)


def _left(value: Value, name: str) -> bool:
    if boolean(value, name):  # which is said by saying nothing
        raise refused(ErrorCode.CLAIM_VALUE, f"{name}: true is absent")
    return False


def _balance(value: Value, name: str) -> PrivacyBalance:
    members = mapping(value, name)
    if members.keys() != set(range(len(_BALANCE))):
        raise refused(ErrorCode.CLAIM_VALUE, f"{name} does not have exactly its four numbers")
    numbers = (
        plain_text(members[key], each, min_chars=1, max_chars=MAX_NUMBER_CHARS)
        for key, each in enumerate(_BALANCE)
    )
    return PrivacyBalance(*numbers)
