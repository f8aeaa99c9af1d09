"""The policy format of 2021: unknown fields ignored, one optional measurement to a platform."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Final

import msgspec

from veracruz_utils.policy import _fields as shared
from veracruz_utils.policy._document import fit
from veracruz_utils.policy.ciphersuites import TLS_1_2_SUITES, ciphersuite_named
from veracruz_utils.policy.errors import PolicyError, PolicyErrorCode
from veracruz_utils.policy.values import LINUX_SOFTWARE, AcceptedPlatform, Limits, Strategy

# Our name of a platform, the field with its one measurement, that measurement's size in bytes.
# The last is our extension.
PLATFORM_FIELDS: Final = (
    ("sgx", "mexico_city_hash_sgx", 32),
    ("trustzone", "mexico_city_hash_tz", 32),
    ("nitro", "mexico_city_hash_nitro", 48),
    (LINUX_SOFTWARE, "mexico_city_hash_linux_software", 32),
)

_U8 = Annotated[int, msgspec.Meta(ge=0, le=0xFF)]
_U32 = Annotated[int, msgspec.Meta(ge=0, le=0xFFFF_FFFF)]


class _Expiry(msgspec.Struct):
    year: _U32
    month: _U8
    day: _U8
    hour: _U8
    minute: _U8


class _Document(msgspec.Struct):
    identities: list[shared.IdentityFields]
    sinaloa_url: str
    tabasco_url: str
    enclave_cert_expiry: _Expiry
    ciphersuite: str
    data_provision_order: list[shared.ClientIdInOrder]
    streaming_order: list[shared.ClientIdInOrder]
    pi_hash: str
    debug: bool
    execution_strategy: Strategy
    mexico_city_hash_sgx: str | None = None
    mexico_city_hash_tz: str | None = None
    mexico_city_hash_nitro: str | None = None
    mexico_city_hash_linux_software: str | None = None


def read_2021(document: Mapping[str, object], *, at: datetime) -> shared.Fields:
    """The fields of a 2021 policy, checked in the order of 2021 as far as it goes.

    Raises:
        PolicyError: for the first that is wrong.
    """
    form = fit(document, _Document)
    expires_at = _read_expiry(form.enclave_cert_expiry)
    shared.check_expiry(expires_at, at=at, path="$.enclave_cert_expiry")
    identities = shared.read_identities(form.identities, at=at)
    shared.check_orders(identities, form.data_provision_order, form.streaming_order)
    shared.check_roles(identities)
    return {
        "identities": identities,
        "ciphersuite": ciphersuite_named(form.ciphersuite, TLS_1_2_SUITES),
        "sinaloa": shared.read_address(form.sinaloa_url, path="$.sinaloa_url"),
        "tabasco": shared.read_address(form.tabasco_url, path="$.tabasco_url"),
        "tabasco_key": None,
        "expires_at": expires_at,
        "platforms": _read_platforms(form),
        "data_provision_order": tuple(form.data_provision_order),
        "streaming_order": tuple(form.streaming_order),
        "program_digest": shared.read_digest(form.pi_hash, path="$.pi_hash"),
        "debug": form.debug,
        "strategy": form.execution_strategy,
        "limits": Limits(),
    }


def _read_expiry(entry: _Expiry) -> datetime:
    try:
        return datetime(entry.year, entry.month, entry.day, entry.hour, entry.minute, tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise PolicyError(
            PolicyErrorCode.INVALID_VALUE,
            f"{entry.year}-{entry.month}-{entry.day} {entry.hour}:{entry.minute} "
            f"is not a time of the calendar: {error}",
            path="$.enclave_cert_expiry",
        ) from error


def _read_platforms(form: _Document) -> tuple[AcceptedPlatform, ...]:
    platforms = []
    for name, field, size in PLATFORM_FIELDS:
        text: str | None = getattr(form, field)
        if text is not None:
            measurement = shared.read_measurement(text, sizes=(size,), path=f"$.{field}")
            platforms.append(AcceptedPlatform(name, frozenset({measurement})))
    return tuple(platforms)  # there may be none: what runs it is refused when it is attested
