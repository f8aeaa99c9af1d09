"""What both formats share: the fields that are alike, and the rules between them."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final

import msgspec

from veracruz_utils.address import Address
from veracruz_utils.digest import Digest
from veracruz_utils.errors import VeracruzError
from veracruz_utils.frozen import frozen
from veracruz_utils.policy.certificates import certificate_from_pem
from veracruz_utils.policy.ciphersuites import CipherSuite
from veracruz_utils.policy.errors import PolicyError, PolicyErrorCode
from veracruz_utils.policy.isolation import IsolationLayer
from veracruz_utils.policy.values import (
    DATA_SENDERS,
    STREAM_SENDERS,
    AcceptedPlatform,
    Limits,
    PolicyFormat,
    PolicyIdentity,
    Role,
    Strategy,
)

if TYPE_CHECKING:
    from veracruz_utils.policy._terms import TermsForm

# Letters, digits and a few signs: nothing that could do something to a terminal or a list.
_NAME: Final = re.compile(r"\w(?:[\w .&'()-]{0,62}[\w.)])?")
# What sentences say of people who are not named, and of nobody in particular.
_RESERVED: Final = re.compile(r"nobody|everybody|all|any|none|client[ -]?[0-9]+", re.IGNORECASE)
ClientId = Annotated[int, msgspec.Meta(ge=0, le=0xFFFF_FFFF)]
ClientIdInOrder = Annotated[int, msgspec.Meta(ge=0)]  # judged as unknown when it is too large


class IdentityForm(msgspec.Struct):
    """An entry of `identities`."""

    id: ClientId
    certificate: str
    roles: list[Role]


class SharedForm(msgspec.Struct):
    """The fields that have one name and one meaning in both formats."""

    identities: Sequence[IdentityForm]
    sinaloa_url: str
    tabasco_url: str
    ciphersuite: str
    data_provision_order: list[ClientIdInOrder]
    streaming_order: list[ClientIdInOrder]
    debug: bool
    execution_strategy: Strategy

    def names(self) -> list[str]:
        """What each entry of `identities` is called; empty without a name, as in 2021."""
        return [""] * len(self.identities)


@frozen
class OwnTerms:
    """What each format says in its own way, read and checked."""

    format: PolicyFormat
    ciphersuites: tuple[CipherSuite, ...]
    expires_at: datetime
    platforms: tuple[AcceptedPlatform, ...]
    program_digest: Digest
    tabasco_key: bytes | None
    limits: Limits
    isolation: frozenset[IsolationLayer]
    terms: "TermsForm | None" = None


@contextmanager
def placed_at(path: str, code: PolicyErrorCode = PolicyErrorCode.INVALID_VALUE) -> Iterator[None]:
    """Let an error of a value inside be one of the policy, at `path`."""
    try:
        yield
    except VeracruzError as error:
        raise PolicyError(code, str(error), path=path) from error


def read_identities(form: SharedForm, *, at: datetime | None) -> tuple[PolicyIdentity, ...]:
    """The principals, each with one certificate of its own, an id of its own and a role.

    Their certificates are valid at `at`, unless that is None.

    Raises:
        PolicyError: for the first entry that is not so, or is the second with a program.
    """
    identities: list[PolicyIdentity] = []
    for index, (entry, name) in enumerate(zip(form.identities, form.names(), strict=True)):
        path = f"$.identities[{index}]"
        der = certificate_from_pem(entry.certificate, at=at, path=f"{path}.certificate")
        identity = PolicyIdentity(entry.id, der, frozenset(entry.roles), name)
        _check_beside(identity, identities, path)
        identities.append(identity)
    return tuple(identities)


def _check_beside(identity: PolicyIdentity, earlier: Sequence[PolicyIdentity], path: str) -> None:
    number = identity.client_id
    if _RESERVED.fullmatch(identity.name):
        raise PolicyError(
            PolicyErrorCode.NAME, f"{identity.name!r} is nobody's name", path=f"{path}.name"
        )
    if identity.name and not _NAME.fullmatch(identity.name):
        raise PolicyError(
            PolicyErrorCode.NAME,
            f"{identity.name[:80]!r} is not a name of letters, digits, '.', '_' and '-'",
            path=f"{path}.name",
        )
    for other in earlier:
        if identity.name and other.name == identity.name:
            raise PolicyError(
                PolicyErrorCode.NAME, f"{identity.name!r} appears twice", path=f"{path}.name"
            )
        if other.client_id == number:
            raise PolicyError(
                PolicyErrorCode.DUPLICATED_CLIENT_ID, f"client {number} appears twice", path=path
            )
        # TLS tells principals apart by their certificates, so one certificate is one principal.
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


def check_orders(form: SharedForm, identities: Sequence[PolicyIdentity]) -> None:
    """Refuse an order that names a client who may not send what is asked of it.

    Raises:
        PolicyError: `data-provider`.
    """
    for name, order, roles in (
        ("data_provision_order", form.data_provision_order, DATA_SENDERS),
        ("streaming_order", form.streaming_order, STREAM_SENDERS),
    ):
        senders = {each.client_id for each in identities if each.roles & roles}
        for index, number in enumerate(order):
            if number not in senders:
                raise PolicyError(
                    PolicyErrorCode.DATA_PROVIDER,
                    f"client {number} is not a {' or '.join(sorted(roles))} of this policy",
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
        if not any(role in each.roles for each in identities):
            raise PolicyError(code, f"nobody is {role}", path="$.identities")


def read_address(text: str, *, path: str) -> Address:
    """The address at `path`, which clients can connect to.

    Raises:
        PolicyError: `url-invalid`.
    """
    with placed_at(path, PolicyErrorCode.URL_INVALID):
        address = Address.parse(text)
    if address.port == 0:
        raise PolicyError(PolicyErrorCode.URL_INVALID, "port 0 cannot be connected to", path=path)
    return address


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


def check_expiry(expires_at: datetime, *, at: datetime | None, path: str) -> None:
    """Refuse a computation that has ended before it began; any time will do when `at` is None.

    Raises:
        PolicyError: `enclave-expired`.
    """
    if at is not None and expires_at <= at:
        raise PolicyError(
            PolicyErrorCode.ENCLAVE_EXPIRED,
            f"the policy's time ended at {expires_at:%Y-%m-%dT%H:%M:%SZ}, it is "
            f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ} now: agree on a policy with a later end",
            path=path,
        )
