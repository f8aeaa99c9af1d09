"""CoMID: reference values and attestation keys of modules (draft-ietf-rats-corim).

Of the triples, reference values (0) and attest keys (3) are read. What else there is, extensions
among it, is named as skipped: a statement of which a part was skipped says more than we know.
"""

from collections.abc import Mapping
from typing import Final, TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from psa_attestation.cbor.members import array, integer, mapping, octets, refused, required, text
from psa_attestation.cbor.values import Key, Tag, Value
from psa_attestation.cose.keys import decode_cose_key, public_key_of_cose_key
from psa_attestation.cose.verification import verification_algorithm
from psa_attestation.errors import ErrorCode
from veracruz_utils.frozen import frozen

_UUID, _OID, _BYTES, _UEID = 37, 111, 560, 550
_SVN, _MIN_SVN = 552, 553
_PEM_KEY, _COSE_KEY, _MASKED = 554, 558, 563
_DIGESTS: Final = {
    1: ("sha-256", 32),
    7: ("sha-384", 48),
    8: ("sha-512", 64),
    10: ("sha3-256", 32),
    11: ("sha3-384", 48),
    12: ("sha3-512", 64),
}
_BY_NAME: Final = dict(_DIGESTS.values())
_REFERENCE, _ATTEST_KEY = 0, 3
_VALUES_READ: Final = frozenset({0, 1, 2, 4, 5, 11, 13})
_MAX_TEXT: Final = 1024
_MAX_ENTRIES: Final = 256
_NUMBERS: Final = range(2**64)

Identifier: TypeAlias = tuple[str, bytes]
"""What kind it is (`uuid`, `oid`, `bytes`, `ueid`) and its bytes."""


@frozen
class Environment:
    """Whom a statement is about; what is None is left open."""

    class_id: Identifier | None = None
    vendor: str | None = None
    model: str | None = None
    layer: int | None = None
    index: int | None = None
    instance: Identifier | None = None


@frozen
class Measurement:
    """One measured element, as it should be.

    Attributes:
        key: which element; a number, a text, or an identifier.
        digests: by the algorithm's name; all of the same content.
        svn: the security version, and whether it is the least one that will do.
        raw: bits, of which those set in `mask` count (all of them without a mask).
        signers: the identifiers of keys given as bytes, such as PSA's signer id.
        skipped: the keys of values that are not read.
    """

    key: int | str | Identifier | None = None
    version: str | None = None
    svn: int | None = None
    svn_is_minimum: bool = False
    digests: tuple[tuple[str, bytes], ...] = ()
    raw: bytes | None = None
    mask: bytes | None = None
    name: str | None = None
    signers: tuple[bytes, ...] = ()
    skipped: tuple[Key, ...] = ()


@frozen
class ReferenceTriple:
    """What an environment should measure."""

    environment: Environment
    measurements: tuple[Measurement, ...]


@frozen
class AttestKeys:
    """The keys with which an environment signs evidence."""

    environment: Environment
    keys: tuple[ec.EllipticCurvePublicKey, ...]


@frozen
class Comid:
    """One module's statements; `skipped` are the kinds of triples in it that are not read."""

    tag_id: str | bytes
    reference_values: tuple[ReferenceTriple, ...]
    attest_keys: tuple[AttestKeys, ...]
    skipped: tuple[int, ...]


def comid_of(value: Value) -> Comid:
    """The CoMID that a decoded map is.

    Raises:
        AttestationError: stage `claims`.
    """
    members = mapping(value, "the CoMID")
    identity = mapping(required(members, 1, "the tag identity"), "the tag identity")
    triples = mapping(required(members, 4, "the triples"), "the triples")
    if not triples:
        raise refused(ErrorCode.CLAIM_VALUE, "the triples are empty")
    references = _entries(triples, _REFERENCE, "reference values")
    keys = _entries(triples, _ATTEST_KEY, "attest keys")
    known = (_REFERENCE, _ATTEST_KEY)
    return Comid(
        tag_id=tag_id_of(required(identity, 0, "the tag id")),
        reference_values=tuple(_reference(entry) for entry in references),
        attest_keys=tuple(_attest_keys(entry) for entry in keys),
        skipped=tuple(
            integer(key, "a triple's kind", range(-(2**31), 2**31))
            for key in triples
            if key not in known
        ),
    )


def tag_id_of(value: Value) -> str | bytes:
    """A text, or the 16 bytes of a UUID."""
    if isinstance(value, bytes):
        return octets(value, "an id", (16,))
    return text(value, "an id", min_chars=1, max_chars=_MAX_TEXT)


def _entries(members: Mapping[Key, Value], key: Key, name: str) -> list[Value]:
    if key not in members:
        return []
    entries = array(members[key], name, max_entries=_MAX_ENTRIES)
    if not entries:
        raise refused(ErrorCode.CLAIM_VALUE, f"{name} is an empty list")
    return entries


def _pair(value: Value, name: str) -> tuple[Value, list[Value]]:
    parts = array(value, name, max_entries=2)  # a third would be conditions, which are not read
    if len(parts) != 2:
        raise refused(ErrorCode.CLAIM_VALUE, f"{name} has {len(parts)} parts, two are needed")
    entries = array(parts[1], name, max_entries=_MAX_ENTRIES)
    if not entries:
        raise refused(ErrorCode.CLAIM_VALUE, f"{name} is empty")
    return parts[0], entries


def _reference(value: Value) -> ReferenceTriple:
    environment, measurements = _pair(value, "a reference triple")
    return ReferenceTriple(
        _environment(environment), tuple(_measurement(entry) for entry in measurements)
    )


def _attest_keys(value: Value) -> AttestKeys:
    environment, keys = _pair(value, "an attest key triple")
    return AttestKeys(_environment(environment), tuple(_public_key(key) for key in keys))


def _environment(value: Value) -> Environment:
    members = mapping(value, "an environment")
    about = mapping(members[0], "a class") if 0 in members else {}
    if not about and not {1, 2} & members.keys():
        raise refused(ErrorCode.CLAIM_VALUE, "an environment does not say whom it is about")
    if 2 in members:
        raise refused(ErrorCode.CLAIM_VALUE, "statements about groups are not read")
    return Environment(
        class_id=_identifier(about[0], "a class id", _UUID, _OID, _BYTES) if 0 in about else None,
        vendor=_optional_text(about, 1, "a vendor"),
        model=_optional_text(about, 2, "a model"),
        layer=_optional_number(about, 3, "a layer"),
        index=_optional_number(about, 4, "an index"),
        instance=(
            _identifier(members[1], "an instance", _UEID, _UUID, _BYTES) if 1 in members else None
        ),
    )


def _identifier(value: Value, name: str, *tags: int) -> Identifier:
    if not isinstance(value, Tag) or value.number not in tags:
        raise refused(ErrorCode.CLAIM_TYPE, f"{name} is of a kind that is not read")
    kinds = {
        _UUID: ("uuid", (16,)),
        _OID: ("oid", range(1, 128)),
        _BYTES: ("bytes", range(1, 1025)),
        _UEID: ("ueid", range(7, 34)),
    }
    kind, sizes = kinds[value.number]
    return kind, octets(value.value, name, sizes)


def _measurement(value: Value) -> Measurement:
    members = mapping(value, "a measurement")
    values = mapping(required(members, 1, "a measurement's value"), "a measurement's value")
    if not values:
        raise refused(ErrorCode.CLAIM_VALUE, "a measurement's value is empty")
    svn, minimum = _svn(values[1]) if 1 in values else (None, False)
    raw, mask = _raw(values)
    return Measurement(
        key=_measurement_key(members[0]) if 0 in members else None,
        version=_version(values[0]) if 0 in values else None,
        svn=svn,
        svn_is_minimum=minimum,
        digests=tuple(_digest(entry) for entry in _entries(values, 2, "digests")),
        raw=raw,
        mask=mask,
        name=_optional_text(values, 11, "a name"),
        signers=tuple(
            _identifier(entry, "a signer", _BYTES)[1]
            for entry in _entries(values, 13, "crypto keys")
        ),
        skipped=tuple(key for key in values if key not in _VALUES_READ),
    )


def _measurement_key(value: Value) -> int | str | Identifier:
    if isinstance(value, Tag):
        return _identifier(value, "a measurement's key", _UUID, _OID)
    if isinstance(value, str):
        return text(value, "a measurement's key", min_chars=1, max_chars=_MAX_TEXT)
    return integer(value, "a measurement's key", _NUMBERS)


def _version(value: Value) -> str:
    members = mapping(value, "a version")
    return text(required(members, 0, "a version"), "a version", max_chars=_MAX_TEXT)


def _svn(value: Value) -> tuple[int, bool]:
    if isinstance(value, Tag) and value.number in (_SVN, _MIN_SVN):
        return integer(value.value, "a security version", _NUMBERS), value.number == _MIN_SVN
    return integer(value, "a security version", _NUMBERS), False


def _digest(value: Value) -> tuple[str, bytes]:
    parts = array(value, "a digest", max_entries=2)
    if len(parts) != 2:
        raise refused(ErrorCode.CLAIM_VALUE, "a digest has an algorithm and a value")
    algorithm, data = parts
    if isinstance(algorithm, str):
        name, size = algorithm, _BY_NAME.get(algorithm)
    else:
        number = integer(algorithm, "a digest's algorithm", tuple(_DIGESTS))
        name, size = _DIGESTS[number]
    if size is None:
        raise refused(ErrorCode.CLAIM_VALUE, f"a digest's algorithm {name[:40]!r} is not read")
    return name, octets(data, "a digest", (size,), ErrorCode.HASH_LENGTH)


def _raw(values: Mapping[Key, Value]) -> tuple[bytes | None, bytes | None]:
    if 4 not in values:
        return None, None
    value = values[4]
    if isinstance(value, Tag) and value.number == _MASKED:
        parts = array(value.value, "a masked value", max_entries=2)
        raw, mask = (parts[0], parts[1]) if len(parts) == 2 else (None, None)
    else:
        raw = value.value if isinstance(value, Tag) and value.number == _BYTES else value
        mask = values.get(5)
    data = octets(raw, "a raw value", range(1, 4097))
    if mask is None:
        return data, None
    return data, octets(mask, "a mask", (len(data),))


def _public_key(value: Value) -> ec.EllipticCurvePublicKey:
    if isinstance(value, Tag) and value.number == _COSE_KEY:
        inner = value.value
        return decode_cose_key(inner) if isinstance(inner, bytes) else public_key_of_cose_key(inner)
    if not isinstance(value, Tag) or value.number != _PEM_KEY:
        raise refused(ErrorCode.KEY_UNSUPPORTED, "a key of a kind that is not read")
    pem = text(value.value, "a key", max_chars=4096)
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise refused(ErrorCode.KEY_UNSUPPORTED, "a key cannot be read") from error
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise refused(ErrorCode.KEY_UNSUPPORTED, "a key is not on an elliptic curve")
    verification_algorithm(key)
    return key


def _optional_text(members: Mapping[Key, Value], key: Key, name: str) -> str | None:
    return text(members[key], name, max_chars=_MAX_TEXT) if key in members else None


def _optional_number(members: Mapping[Key, Value], key: Key, name: str) -> int | None:
    return integer(members[key], name, _NUMBERS) if key in members else None
