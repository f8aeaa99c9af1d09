"""CoRIM: signed bundles of reference values and attestation keys (draft-ietf-rats-corim).

A subset: CoMIDs with reference values and attest keys, validity, the unsigned and the signed form.
A signed bundle is a COSE_Sign1 whose protected header says what it holds and who signed it; the key
is the caller's. An unsigned one is data that somebody else has to vouch for, and its reader's name
says so.
"""

from collections.abc import Collection, Mapping
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from psa_attestation.cbor.decoding import ANY_TAG, DecodeLimits, decode
from psa_attestation.cbor.members import array, integer, mapping, octets, refused, required, text
from psa_attestation.cbor.values import Key, Tag, Value
from psa_attestation.corim.comid import Comid, comid_of, tag_id_of
from psa_attestation.corim.profiles import check_profile
from psa_attestation.cose import messages
from psa_attestation.errors import AttestationError, ErrorCode, Stage
from veracruz_utils.frozen import frozen

MAX_CORIM_BYTES: Final = 512 * 1024

CORIM: Final = 501
COMID: Final = 506
TIME: Final = 1
CONTENT: Final = "application/rim+cbor"
META: Final = 8
"""Where a protected header says who signed, and until when that holds."""
_URI, _OID = 32, 111
_OTHER_TAGS: Final = frozenset({505, 508})  # CoSWID and trust lists: left alone
_CWT_CLAIMS: Final = 15
_TIMES: Final = range(2**53)
_LIMITS: Final = DecodeLimits(
    max_bytes=MAX_CORIM_BYTES, max_items=64 * 1024, max_depth=24, tags=ANY_TAG
)
ENVELOPE: Final = DecodeLimits(
    max_bytes=MAX_CORIM_BYTES, max_items=256, max_depth=8, tags=messages.ENVELOPE_LIMITS.tags
)
_MAX_TAGS: Final = 256


@frozen
class Corim:
    """A bundle.

    Attributes:
        id: a text, or the 16 bytes of a UUID.
        profile: a URI, or `oid:` and hexadecimal.
        comids: what it says.
        not_before: in seconds since 1970; so `not_after`; None where it does not say.
        signer: the name the signer gives itself; authentic as far as the key is.
    """

    id: str | bytes
    profile: str | None
    comids: tuple[Comid, ...]
    not_before: int | None = None
    not_after: int | None = None
    signer: str | None = None


def verify_corim(
    data: bytes,
    *,
    key: ec.EllipticCurvePublicKey,
    at: int,
    profiles: Collection[str] | None = None,
) -> Corim:
    """The bundle in a signed CoRIM, authentic and valid at `at`.

    Args:
        data: a COSE_Sign1 (tag 18) of at most 512 KiB.
        key: of whoever may provide such bundles.
        at: in seconds since 1970.
        profiles: one of which the bundle has to name; None reads any and none.

    Raises:
        AttestationError: anything else.
    """
    message = messages.parse(data, ENVELOPE)
    payload = message.verify(key)
    header = mapping(decode(message.protected, _LIMITS), "the protected header")
    if header.get(messages.CONTENT_TYPE) != CONTENT:
        raise AttestationError(
            ErrorCode.TYPE_CONFUSION, Stage.ENVELOPE, f"the content is not {CONTENT}"
        )
    signer, start, end = _signer(header)
    corim = read_unsigned_corim(payload, at=at, profiles=profiles)
    _check_validity(start, end, at, "the signature")
    return Corim(
        corim.id,
        corim.profile,
        corim.comids,
        max((time for time in (start, corim.not_before) if time is not None), default=None),
        min((time for time in (end, corim.not_after) if time is not None), default=None),
        signer,
    )


def read_unsigned_corim(data: bytes, *, at: int, profiles: Collection[str] | None = None) -> Corim:
    """The bundle in an unsigned CoRIM (tag 501), valid at `at`; nothing vouches for it.

    Raises:
        AttestationError: stage `encoding`, `claims` or `freshness`.
    """
    value = decode(data, _LIMITS)
    if not isinstance(value, Tag) or value.number != CORIM:
        raise refused(ErrorCode.UNEXPECTED_TAG, f"a CoRIM has tag {CORIM}")
    members = mapping(value.value, "the CoRIM")
    profile = _profile(members[3]) if 3 in members else None
    if profiles is not None and profile not in profiles:
        raise refused(
            ErrorCode.PROFILE_NOT_ALLOWED,
            f"the bundle's profile {str(profile)[:80]!r} is not accepted",
        )
    start, end = _validity(members[4]) if 4 in members else (None, None)
    _check_validity(start, end, at, "the bundle")
    corim = Corim(
        id=tag_id_of(required(members, 0, "the bundle's id")),
        profile=profile,
        comids=_comids(required(members, 1, "the bundle's tags")),
        not_before=start,
        not_after=end,
    )
    check_profile(profile, corim.comids)
    return corim


def _comids(value: Value) -> tuple[Comid, ...]:
    entries = array(value, "the bundle's tags", max_entries=_MAX_TAGS)
    if not entries:
        raise refused(ErrorCode.CLAIM_VALUE, "the bundle holds nothing")
    tags = [entry for entry in entries if isinstance(entry, Tag)]
    if len(tags) != len(entries):
        raise refused(ErrorCode.CLAIM_TYPE, "something in the bundle has no tag")
    return tuple(_comid(tag) for tag in tags if tag.number not in _OTHER_TAGS)


def _comid(tag: Tag) -> Comid:
    if tag.number != COMID:
        raise refused(ErrorCode.UNEXPECTED_TAG, f"tag {tag.number} in a bundle is not known")
    content = octets(tag.value, "a CoMID", range(1, MAX_CORIM_BYTES))
    return comid_of(decode(content, _LIMITS))


def _profile(value: Value) -> str:
    if isinstance(value, Tag) and value.number == _OID:
        return "oid:" + octets(value.value, "the profile", range(1, 128)).hex()
    if isinstance(value, Tag) and value.number == _URI:
        return text(value.value, "the profile", min_chars=1, max_chars=1024)
    raise refused(ErrorCode.CLAIM_TYPE, "the profile is neither a URI nor an OID")


def _signer(header: Mapping[Key, Value]) -> tuple[str, int | None, int | None]:
    """Who signed, and from when to when."""
    if META in header:
        meta = octets(header[META], "the signer's statement", range(1, 4097))
        members = mapping(decode(meta, _LIMITS), "the signer's statement")
        signer = mapping(required(members, 0, "the signer"), "the signer")
        name = text(required(signer, 0, "the signer"), "the signer", max_chars=1024)
        return name, *(_validity(members[1]) if 1 in members else (None, None))
    claims = mapping(
        required(header, _CWT_CLAIMS, "the signer's statement (8) or CWT claims"), "CWT claims"
    )
    name = text(required(claims, 1, "the issuer"), "the issuer", max_chars=1024)
    return name, _claimed_time(claims, 5), _claimed_time(claims, 4)


def _claimed_time(claims: Mapping[Key, Value], key: int) -> int | None:
    return integer(claims[key], "a time", _TIMES) if key in claims else None


def _validity(value: Value) -> tuple[int | None, int | None]:
    members = mapping(value, "a validity")
    start = _time(members[0]) if 0 in members else None
    end = _time(required(members, 1, "the end of a validity"))
    if start is not None and end < start:
        raise refused(ErrorCode.CLAIM_VALUE, "a validity ends before it starts")
    return start, end


def _time(value: Value) -> int:
    if not isinstance(value, Tag) or value.number != TIME:
        raise refused(ErrorCode.CLAIM_TYPE, "a time has tag 1")
    return integer(value.value, "a time", _TIMES)


def _check_validity(start: int | None, end: int | None, at: int, what: str) -> None:
    if start is not None and at < start:
        raise AttestationError(
            ErrorCode.NOT_YET_VALID, Stage.FRESHNESS, f"{what} is valid from {start}, it is {at}"
        )
    if end is not None and at > end:
        raise AttestationError(
            ErrorCode.EXPIRED, Stage.FRESHNESS, f"{what} was valid until {end}, it is {at}"
        )
