"""The terms of a policy as they are written on a command line."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import click
from cryptography.hazmat.primitives.serialization import Encoding

from durango.identity import load_certificate
from veracruz_utils.policy import (
    LINUX_SOFTWARE,
    RUNTIME_LAYERS,
    TLS_1_2_SUITES,
    TLS_1_3_SUITES,
    AcceptedPlatform,
    CipherSuite,
    IsolationLayer,
    Limits,
    PolicyFormat,
    PolicyIdentity,
    Role,
    ciphersuite_named,
)

EVERY_RUNTIME_LAYER: Final = "runtime"
NO_LAYER: Final = "none"
FORMATS: Final = {"current": PolicyFormat.CURRENT, "2021": PolicyFormat.VERACRUZ_2021}

_PLATFORM: Final = re.compile(r"([A-Za-z0-9._-]{1,64})(?:=((?:[0-9a-fA-F]{2}){1,64}))?")
_IDS: Final = re.compile(r"\s*(?:[0-9]{1,10}(?:\s*,\s*[0-9]{1,10})*)?\s*")
_LIMIT: Final = re.compile(r"([a-z_]+)=([0-9]{1,20}(?:KiB|MiB|GiB|))")
_SIZE: Final = re.compile(r"([0-9]{1,20})(KiB|MiB|GiB|)")
_UNITS: Final = {"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_LIMIT_NAMES: Final = tuple(field.name for field in fields(Limits))
_USUAL_DAYS: Final = 30


def members_of(given: Sequence[tuple[Path, str]]) -> list[PolicyIdentity]:
    """The principals: certificate files, with their names, and roles, numbered as they come."""
    members = []
    for client_id, (certificate, roles) in enumerate(given):
        name, path = _named(certificate)
        der = load_certificate(path).public_bytes(Encoding.DER)
        own = frozenset(map(_role, filter(None, map(str.strip, roles.split(",")))))
        members.append(PolicyIdentity(client_id, der, own, name))
    return members


def order_of(text: str | None, members: Iterable[PolicyIdentity], role: Role) -> list[int]:
    """Client ids with commas between them; without a text, each with this role once."""
    if text is None:
        return [member.client_id for member in members if role in member.roles]
    if not _IDS.fullmatch(text):
        raise click.UsageError(f"{text[:80]!r} is not a list of client ids, such as 1,2,2")
    return [int(item) for item in text.split(",") if item.strip()]


def platforms_of(given: Iterable[str], images: Sequence[bytes]) -> list[AcceptedPlatform]:
    """Platforms from `NAME` and `NAME=HEX`; a name given more than once accepts all that it says.

    Args:
        given: the words; a `NAME` alone stands for all of `images`.
        images: measurements that were taken from releases and images.
    """
    measurements: dict[str, set[bytes]] = {}
    used = False
    for text in given:
        match = _PLATFORM.fullmatch(text)
        if match is None:
            raise click.UsageError(f"{text[:80]!r} is not NAME or NAME=HEX, such as nitro=5d0f...")
        if match[2] is None and not images:
            raise click.UsageError(
                f"--platform {match[1]} alone does not say which runtime is accepted there: give "
                f"--release or --image, or --platform {match[1]}=HEX"
            )
        used = used or match[2] is None
        values = images if match[2] is None else [bytes.fromhex(match[2])]
        measurements.setdefault(match[1], set()).update(values)
    if images and not used:
        raise click.UsageError(
            "say on which kind of isolate that runtime is accepted, "
            f"such as --platform {LINUX_SOFTWARE}"
        )
    if not measurements:
        raise click.UsageError(
            "a policy accepts at least one runtime: give --release or --image, and --platform"
        )
    return [AcceptedPlatform(name, frozenset(values)) for name, values in measurements.items()]


def expiry(text: str | None, days: int | None, *, now: datetime) -> datetime:
    """When the policy ends: a time, or some days from now."""
    if text is None:
        return now + timedelta(days=days or _USUAL_DAYS)
    if days is not None:
        raise click.UsageError(
            "--expires and --days both say when the policy ends: give one of them"
        )
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise click.UsageError(f"{text[:40]!r} is not a time such as 2027-01-31T00:00:00Z")
    if moment <= now:
        raise click.UsageError(
            f"--expires {text} is over, it is {now:%Y-%m-%dT%H:%M:%SZ}: give a later time"
        )
    return moment.astimezone(UTC)


def suite_of(name: str | None, policy_format: PolicyFormat) -> CipherSuite:
    """The suite of this name, or the first choice of the format."""
    suites = TLS_1_3_SUITES if policy_format is PolicyFormat.CURRENT else TLS_1_2_SUITES
    return suites[0] if name is None else ciphersuite_named(name, suites)


def limits_of(given: Sequence[str]) -> Limits | None:
    """Limits from `NAME=VALUE`; None when none is given."""
    values: dict[str, int] = {}
    for text in given:
        match = _LIMIT.fullmatch(text)
        if match is None or match[1] not in _LIMIT_NAMES or match[1] in values:
            raise click.UsageError(
                f"{text[:80]!r} is not NAME=VALUE with a name given once of "
                f"{', '.join(_LIMIT_NAMES)}"
            )
        values[match[1]] = size_of(match[2])
    return Limits(**values) if values else None


def size_of(text: str) -> int:
    """A number, or one of bytes with a unit."""
    match = _SIZE.fullmatch(text)
    if match is None:
        raise click.UsageError(f"{text[:40]!r} is not a number such as 1024 or 64MiB")
    return int(match[1]) * _UNITS[match[2]]


def isolation_of(given: Sequence[str]) -> frozenset[IsolationLayer] | None:
    """The layers that these words ask for; None leaves it to the format."""
    if not given:
        return None
    if NO_LAYER in given:
        if len(given) > 1:
            raise click.UsageError(f"--isolation {NO_LAYER} stands alone")
        return frozenset()
    named = frozenset(IsolationLayer(name) for name in given if name != EVERY_RUNTIME_LAYER)
    return named | RUNTIME_LAYERS if EVERY_RUNTIME_LAYER in given else named


def _named(certificate: Path) -> tuple[str, Path]:
    """The name and the file of `NAME=FILE`; a file with such a name of its own is that file."""
    name, equals, path = str(certificate).partition("=")
    if not equals or "/" in name or certificate.exists():
        return "", certificate
    return name, Path(path)


def _role(name: str) -> Role:
    try:
        return Role(name)
    except ValueError:
        raise click.UsageError(
            f"{name[:40]!r} is not a role: choose from {', '.join(Role)}"
        ) from None
