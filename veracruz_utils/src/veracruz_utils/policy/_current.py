"""The current policy format: every field known, several measurements to a platform."""

import re
from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Final

import msgspec

from veracruz_utils.policy import _fields as shared
from veracruz_utils.policy._document import fit
from veracruz_utils.policy.certificates import public_key_from_pem
from veracruz_utils.policy.ciphersuites import TLS_1_3_SUITES, ciphersuite_named
from veracruz_utils.policy.errors import PolicyError, PolicyErrorCode
from veracruz_utils.policy.values import AcceptedPlatform, Limits, Strategy

VERSION: Final = 1
"""The one value of `policy_version`."""

_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_PLATFORM_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")


class _Identity(shared.IdentityFields, forbid_unknown_fields=True):
    pass


class _Platform(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    measurements: list[str]


_Limits = msgspec.defstruct(
    "_Limits",
    [(field.name, field.type, field.default) for field in fields(Limits)],
    forbid_unknown_fields=True,
)


class _Document(msgspec.Struct, forbid_unknown_fields=True):
    policy_version: int
    identities: list[_Identity]
    sinaloa_url: str
    tabasco_url: str
    tabasco_key: str
    expires_at: str
    ciphersuite: str
    platforms: list[_Platform]
    data_provision_order: list[shared.ClientIdInOrder]
    streaming_order: list[shared.ClientIdInOrder]
    program_digest: str
    debug: bool
    execution_strategy: Strategy
    limits: _Limits = msgspec.field(default_factory=_Limits)  # type: ignore[valid-type]


def read_current(document: Mapping[str, object], *, at: datetime) -> shared.Fields:
    """The fields of a policy of the current format, checked.

    Raises:
        PolicyError: for the first that is wrong.
    """
    version = document.get("policy_version")
    if type(version) is not int or version != VERSION:
        raise PolicyError(
            PolicyErrorCode.UNSUPPORTED_VERSION,
            f"{str(version)[:20]!r} is not {VERSION}, the version understood here",
            path="$.policy_version",
        )
    form = fit(document, _Document)
    expires_at = _read_time(form.expires_at)
    shared.check_expiry(expires_at, at=at, path="$.expires_at")
    identities = shared.read_identities(form.identities, at=at)
    shared.check_orders(identities, form.data_provision_order, form.streaming_order)
    shared.check_roles(identities)
    return {
        "identities": identities,
        "sinaloa": shared.read_address(form.sinaloa_url, path="$.sinaloa_url"),
        "tabasco": shared.read_address(form.tabasco_url, path="$.tabasco_url"),
        "tabasco_key": public_key_from_pem(form.tabasco_key, path="$.tabasco_key"),
        "expires_at": expires_at,
        "ciphersuite": ciphersuite_named(form.ciphersuite, TLS_1_3_SUITES),
        "platforms": _read_platforms(form.platforms),
        "data_provision_order": tuple(form.data_provision_order),
        "streaming_order": tuple(form.streaming_order),
        "program_digest": shared.read_digest(form.program_digest, path="$.program_digest"),
        "debug": form.debug,
        "strategy": form.execution_strategy,
        "limits": Limits(**msgspec.structs.asdict(form.limits)),
    }


def _read_time(text: str) -> datetime:
    form = _TIME.fullmatch(text)
    try:
        return datetime.fromisoformat(form[0] if form else "")
    except ValueError as error:
        raise PolicyError(
            PolicyErrorCode.INVALID_VALUE,
            f"{text[:80]!r} is not a time in UTC such as 2030-01-31T00:00:00Z",
            path="$.expires_at",
        ) from error


def _read_platforms(entries: list[_Platform]) -> tuple[AcceptedPlatform, ...]:
    platforms: dict[str, AcceptedPlatform] = {}
    for index, entry in enumerate(entries):
        path = f"$.platforms[{index}]"
        if not _PLATFORM_NAME.fullmatch(entry.name) or entry.name in platforms:
            problem = "appears twice" if entry.name in platforms else "is not a platform's name"
            raise PolicyError(
                PolicyErrorCode.INVALID_VALUE, f"{entry.name[:80]!r} {problem}", path=f"{path}.name"
            )
        if not entry.measurements:
            raise _missing(f"{entry.name} has no accepted measurement", f"{path}.measurements")
        platforms[entry.name] = AcceptedPlatform(
            entry.name,
            frozenset(
                shared.read_measurement(text, sizes=(32, 48), path=f"{path}.measurements[{number}]")
                for number, text in enumerate(entry.measurements)
            ),
        )
    if not platforms:
        raise _missing("no platform is accepted, so no isolate could ever run this", "$.platforms")
    return tuple(platforms.values())


def _missing(detail: str, path: str) -> PolicyError:
    return PolicyError(PolicyErrorCode.MISSING_PLATFORM, detail, path=path)
