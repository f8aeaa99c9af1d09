"""The current policy format: every field known, several measurements to a platform."""

import re
from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Final

import msgspec

from veracruz_utils.digest import Digest
from veracruz_utils.policy._document import fit
from veracruz_utils.policy._shared import (
    IdentityForm,
    OwnTerms,
    SharedForm,
    check_expiry,
    placed_at,
    read_measurement,
)
from veracruz_utils.policy._terms import TermsForm
from veracruz_utils.policy.certificates import public_key_from_pem
from veracruz_utils.policy.ciphersuites import TLS_1_3_SUITES
from veracruz_utils.policy.errors import PolicyError, PolicyErrorCode
from veracruz_utils.policy.isolation import RUNTIME_LAYERS, IsolationLayer
from veracruz_utils.policy.machine import REGISTER_BANKS, PinnedRegister
from veracruz_utils.policy.values import AcceptedPlatform, Limits, PolicyFormat

VERSION: Final = 1
"""The one value of `policy_version`."""

_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_PLATFORM_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")


class _IdentityForm(IdentityForm, forbid_unknown_fields=True):
    name: str = ""


class _Platform(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    measurements: list[str]
    machine: dict[str, list[str]] | msgspec.UnsetType = msgspec.UNSET


_Limits = msgspec.defstruct(
    "_Limits",
    [(field.name, field.type, field.default) for field in fields(Limits)],
    forbid_unknown_fields=True,
)


class _Form(TermsForm, forbid_unknown_fields=True, kw_only=True):
    policy_version: int
    identities: list[_IdentityForm]
    tabasco_key: str
    expires_at: str
    platforms: list[_Platform]
    program_digest: str
    isolation: list[IsolationLayer] | msgspec.UnsetType = msgspec.UNSET
    limits: _Limits = msgspec.field(default_factory=_Limits)  # type: ignore[valid-type]

    def names(self) -> list[str]:
        return [identity.name for identity in self.identities]


def read_current(
    document: Mapping[str, object], *, at: datetime | None
) -> tuple[SharedForm, OwnTerms]:
    """A policy of the current format: what it shares with the other, and its own terms, checked.

    Raises:
        PolicyError: for the first of its own terms that is wrong.
    """
    version = document.get("policy_version")
    # By `type`, for True equals 1.
    if type(version) is not int or version != VERSION:
        raise PolicyError(
            PolicyErrorCode.UNSUPPORTED_VERSION,
            f"{str(version)[:20]!r} is not {VERSION}, the version understood here",
            path="$.policy_version",
        )
    form = fit(document, _Form)
    expires_at = _read_time(form.expires_at)
    check_expiry(expires_at, at=at, path="$.expires_at")
    with placed_at("$.program_digest"):
        program_digest = Digest.from_hex(form.program_digest)
    return form, OwnTerms(
        format=PolicyFormat.CURRENT,
        ciphersuites=TLS_1_3_SUITES,
        expires_at=expires_at,
        platforms=_read_platforms(form.platforms),
        program_digest=program_digest,
        tabasco_key=public_key_from_pem(form.tabasco_key, path="$.tabasco_key"),
        limits=Limits(**msgspec.structs.asdict(form.limits)),
        isolation=_read_isolation(form.isolation),
        terms=form,
    )


def form_of_current() -> type[msgspec.Struct]:
    """The shape of the format, for who publishes a schema of it."""
    return _Form


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
            twice = entry.name in platforms
            problem = "appears twice" if twice else "is not a platform's name such as sev-snp"
            raise PolicyError(
                PolicyErrorCode.INVALID_VALUE, f"{entry.name[:80]!r} {problem}", path=f"{path}.name"
            )
        if not entry.measurements:
            raise _missing(f"{entry.name} has no accepted measurement", f"{path}.measurements")
        platforms[entry.name] = AcceptedPlatform(
            entry.name,
            frozenset(
                read_measurement(text, sizes=(32, 48), path=f"{path}.measurements[{number}]")
                for number, text in enumerate(entry.measurements)
            ),
            _read_machine(entry, f"{path}.machine"),
        )
    if not platforms:
        raise _missing("no platform is accepted, so no isolate could ever run this", "$.platforms")
    return tuple(platforms.values())


def _read_machine(entry: _Platform, path: str) -> tuple[PinnedRegister, ...]:
    if isinstance(entry.machine, msgspec.UnsetType):
        return ()
    bank = REGISTER_BANKS.get(entry.name)
    if bank is None:
        measured = ", ".join(REGISTER_BANKS)
        detail = f"nothing measures a machine on {entry.name}; on these it is: {measured}"
        raise PolicyError(PolicyErrorCode.MACHINE, detail, path=path)
    if unknown := sorted(entry.machine.keys() - set(bank.names)):
        names = ", ".join(bank.names)
        detail = f"{unknown[0][:80]!r} is no register of {entry.name}; they are {names}"
        raise PolicyError(PolicyErrorCode.MACHINE, detail, path=path)
    if not entry.machine or not all(entry.machine.values()):
        detail = "pins nothing: give each register a value, or leave it out"
        raise PolicyError(PolicyErrorCode.MACHINE, detail, path=path)
    return tuple(
        PinnedRegister(
            name,
            frozenset(
                read_measurement(text, sizes=(bank.value_bytes,), path=f"{path}.{name}[{number}]")
                for number, text in enumerate(entry.machine[name])
            ),
        )
        for name in bank.names
        if name in entry.machine
    )


def _read_isolation(entries: list[IsolationLayer] | msgspec.UnsetType) -> frozenset[IsolationLayer]:
    if isinstance(entries, msgspec.UnsetType):
        return RUNTIME_LAYERS  # only who says so accepts less
    for index, layer in enumerate(entries):
        if layer in entries[:index]:
            raise PolicyError(
                PolicyErrorCode.INVALID_VALUE,
                f"{layer.value!r} appears twice",
                path=f"$.isolation[{index}]",
            )
    return frozenset(entries)


def _missing(detail: str, path: str) -> PolicyError:
    return PolicyError(PolicyErrorCode.MISSING_PLATFORM, detail, path=path)
