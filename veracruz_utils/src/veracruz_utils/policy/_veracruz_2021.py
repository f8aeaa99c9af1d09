"""The policy format of 2021: unknown fields ignored, one optional measurement to a platform."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Final

import msgspec

from veracruz_utils.digest import Digest
from veracruz_utils.policy._document import fit
from veracruz_utils.policy._shared import (
    OwnTerms,
    SharedForm,
    check_expiry,
    placed_at,
    read_measurement,
)
from veracruz_utils.policy.ciphersuites import TLS_1_2_SUITES
from veracruz_utils.policy.errors import PolicyError, PolicyErrorCode
from veracruz_utils.policy.values import LINUX_SOFTWARE, AcceptedPlatform, Limits, PolicyFormat

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


class _Form2021(SharedForm, kw_only=True):
    enclave_cert_expiry: _Expiry
    pi_hash: str
    mexico_city_hash_sgx: str | None = None
    mexico_city_hash_tz: str | None = None
    mexico_city_hash_nitro: str | None = None
    mexico_city_hash_linux_software: str | None = None


def read_2021(
    document: Mapping[str, object], *, at: datetime | None
) -> tuple[SharedForm, OwnTerms]:
    """A policy of 2021: what it shares with the current format, and its own terms, checked.

    Raises:
        PolicyError: for the first of its own terms that is wrong.
    """
    form = fit(document, _Form2021)
    expires_at = _read_expiry(form.enclave_cert_expiry)
    check_expiry(expires_at, at=at, path="$.enclave_cert_expiry")
    with placed_at("$.pi_hash"):
        program_digest = Digest.from_hex(form.pi_hash)
    return form, OwnTerms(
        format=PolicyFormat.VERACRUZ_2021,
        ciphersuites=TLS_1_2_SUITES,
        expires_at=expires_at,
        platforms=_read_platforms(form),
        program_digest=program_digest,
        tabasco_key=None,
        limits=Limits(),
        isolation=frozenset(),  # nobody who wrote such a policy could ask for any
    )


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


def _read_platforms(form: _Form2021) -> tuple[AcceptedPlatform, ...]:
    platforms = []
    for name, field, size in PLATFORM_FIELDS:
        text: str | None = getattr(form, field)
        if text is not None:
            measurement = read_measurement(text, sizes=(size,), path=f"$.{field}")
            platforms.append(AcceptedPlatform(name, frozenset({measurement})))
    return tuple(platforms)  # there may be none: what runs it is refused when it is attested
