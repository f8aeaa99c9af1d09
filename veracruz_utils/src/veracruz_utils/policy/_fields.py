"""The fields that both formats share, and the rules between them."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Final, TypedDict

import msgspec

from veracruz_utils.address import Address
from veracruz_utils.digest import Digest
from veracruz_utils.errors import VeracruzError
from veracruz_utils.policy.certificates import certificate_from_pem
from veracruz_utils.policy.ciphersuites import CipherSuite
from veracruz_utils.policy.errors import PolicyError, PolicyErrorCode
from veracruz_utils.policy.values import AcceptedPlatform, Limits, PolicyIdentity, Role, Strategy

ClientId = Annotated[int, msgspec.Meta(ge=0, le=0xFFFF_FFFF)]
ClientIdInOrder = Annotated[int, msgspec.Meta(ge=0)]  # judged as unknown when it is too large
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


class IdentityFields(msgspec.Struct):
    """An entry of `identities`."""

    id: ClientId
    certificate: str
    roles: list[Role]


class Fields(TypedDict):
    """All of a policy but its text: what a reader of a format hands over."""

    identities: tuple[PolicyIdentity, ...]
    sinaloa: Address
    tabasco: Address
    tabasco_key: bytes | None
    expires_at: datetime
    ciphersuite: CipherSuite
    platforms: tuple[AcceptedPlatform, ...]
    data_provision_order: tuple[int, ...]
    streaming_order: tuple[int, ...]
    program_digest: Digest
    debug: bool
    strategy: Strategy
    limits: Limits


def read_identities(
    entries: Sequence[IdentityFields], *, at: datetime
) -> tuple[PolicyIdentity, ...]:
    """The principals, each with one valid certificate of its own, an id of its own and a role.

    Raises:
        PolicyError: for the first entry that is not so, or is the second with a program.
    """
    identities: list[PolicyIdentity] = []
    for index, entry in enumerate(entries):
        path = f"$.identities[{index}]"
        der = certificate_from_pem(entry.certificate, at=at, path=f"{path}.certificate")
        identity = PolicyIdentity(entry.id, der, frozenset(entry.roles))
        _check_beside(identity, identities, path)
        identities.append(identity)
    return tuple(identities)


def _check_beside(identity: PolicyIdentity, earlier: Sequence[PolicyIdentity], path: str) -> None:
    number = identity.client_id
    for other in earlier:
        if other.client_id == number:
            raise PolicyError(
                PolicyErrorCode.DUPLICATED_CLIENT_ID, f"client {number} appears twice", path=path
            )
        if other.certificate == identity.certificate:
            raise PolicyError(
                PolicyErrorCode.DUPLICATED_CERTIFICATE,
                f"clients {other.client_id} and {number} have the same certificate; "
                "give one client all of its roles",
                path=path,
            )
        if Role.PI_PROVIDER in other.roles & identity.roles:
            raise PolicyError(
                PolicyErrorCode.SEVERAL_PROGRAM_PROVIDERS,
                f"clients {other.client_id} and {number} are both {Role.PI_PROVIDER}; "
                "exactly one provides the program",
                path=path,
            )
    if not identity.roles:
        raise PolicyError(PolicyErrorCode.EMPTY_ROLE, f"client {number} has no role", path=path)


def check_orders(
    identities: Sequence[PolicyIdentity], data_order: Sequence[int], streaming_order: Sequence[int]
) -> None:
    """Refuse an order that names a client who may not send what is asked of it.

    Raises:
        PolicyError: `data-provider`.
    """
    senders = _having(identities, Role.DATA_PROVIDER)
    _check_order("data_provision_order", data_order, senders, "a DataProvider")
    senders |= _having(identities, Role.STREAM_PROVIDER)
    _check_order("streaming_order", streaming_order, senders, "a DataProvider or StreamProvider")


def _check_order(name: str, order: Sequence[int], senders: frozenset[int], wanted: str) -> None:
    for index, number in enumerate(order):
        if number not in senders:
            raise PolicyError(
                PolicyErrorCode.DATA_PROVIDER,
                f"client {number} is not {wanted} of this policy",
                path=f"$.{name}[{index}]",
            )


def check_roles(identities: Sequence[PolicyIdentity]) -> None:
    """Refuse principals among whom nobody reads the result, or nobody provides the program.

    Raises:
        PolicyError: `no-result-retriever`, `no-program-provider`.
    """
    for role, code in (
        (Role.RESULT_READER, PolicyErrorCode.NO_RESULT_RETRIEVER),
        (Role.PI_PROVIDER, PolicyErrorCode.NO_PROGRAM_PROVIDER),
    ):
        if not _having(identities, role):
            raise PolicyError(code, f"nobody is {role}", path="$.identities")


def _having(identities: Sequence[PolicyIdentity], role: Role) -> frozenset[int]:
    return frozenset(identity.client_id for identity in identities if role in identity.roles)


def read_address(text: str, *, path: str) -> Address:
    """The address at `path`, which clients can connect to.

    Raises:
        PolicyError: `url-invalid`.
    """
    try:
        address = Address.parse(text)
    except VeracruzError as error:
        raise PolicyError(PolicyErrorCode.URL_INVALID, str(error), path=path) from error
    if address.port == 0:
        raise PolicyError(PolicyErrorCode.URL_INVALID, "port 0 cannot be connected to", path=path)
    return address


def read_digest(text: str, *, path: str) -> Digest:
    """The SHA-256 digest at `path`.

    Raises:
        PolicyError: `invalid-value`: not 64 lowercase hexadecimal digits.
    """
    if not _DIGEST.fullmatch(text):
        raise PolicyError(
            PolicyErrorCode.INVALID_VALUE,
            f"{text[:80]!r} is not a SHA-256 digest in 64 lowercase hexadecimal digits",
            path=path,
        )
    return Digest.from_hex(text)


def read_measurement(text: str, *, sizes: tuple[int, ...], path: str) -> bytes:
    """The measurement at `path`, of one of these sizes in bytes.

    Raises:
        PolicyError: `invalid-value`.
    """
    if len(text) not in {2 * size for size in sizes} or not re.fullmatch(r"[0-9a-fA-F]+", text):
        digits = " or ".join(str(2 * size) for size in sizes)
        raise PolicyError(
            PolicyErrorCode.INVALID_VALUE,
            f"{text[:100]!r} is not a measurement in {digits} hexadecimal digits",
            path=path,
        )
    return bytes.fromhex(text)


def check_expiry(expires_at: datetime, *, at: datetime, path: str) -> None:
    """Refuse a computation that has ended before it began.

    Raises:
        PolicyError: `enclave-expired`.
    """
    if expires_at <= at:
        raise PolicyError(
            PolicyErrorCode.ENCLAVE_EXPIRED,
            f"the isolate's certificate ends at {expires_at:%Y-%m-%dT%H:%M:%SZ}, "
            f"it is {at:%Y-%m-%dT%H:%M:%S%z} now: agree on a policy with a later date",
            path=path,
        )
