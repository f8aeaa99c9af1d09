"""The commands of an operator: `tabasco policy`, `reference-values`, `revoke`.

They work on the database itself, beside running services, which see what they did at once.
"""

from datetime import UTC, datetime
from pathlib import Path

import click

from psa_attestation.evidence.native import NativeEvidence
from tabasco import keys
from tabasco._options import (
    TIME,
    current_time,
    database_option,
    open_database,
    public_key_in,
    state_option,
    store_option,
)
from tabasco.appraisal import MAX_POLICY_BYTES
from tabasco.audit_cli import told
from tabasco.bundles import MAX_BUNDLE_BYTES, ReferenceValue
from tabasco.collateral import Store, StoredCollateral
from tabasco.errors import TabascoError
from tabasco.explanation import explain
from tabasco.inspection import REFUSED, Verdict, as_text
from tabasco.inspection import as_json as as_report
from tabasco.policies import Policies, StoredPolicy
from tabasco.reference_values import ReferenceValues
from tabasco.revocations import Revocations, Subject
from tabasco.state import StateDirectory
from tabasco.verify.base import EvidenceError
from tabasco.verify.kinds import MAX_EVIDENCE_BYTES, Kind, kind_of, plain
from tabasco.verify.names import strange_measurement
from veracruz_shells.console import emit, json_option, note, read_file

_FILE = click.Path(path_type=Path, dir_okay=False, allow_dash=True)
_TIME = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"])


@click.group("policy")
def policy() -> None:
    """Say what is accepted of hardware evidence, by appraisal policies."""


@policy.command("set")
@click.argument("file", type=_FILE)
@state_option
@database_option
@json_option
def policy_set(file: Path, state: StateDirectory, database: str | None, *, as_json: bool) -> None:
    """Put the appraisal policy in FILE (TOML, - for stdin) in force; versions only grow."""
    document = read_file(file, limit=MAX_POLICY_BYTES, what="appraisal policy")
    with open_database(state, database, create=True) as found:
        stored = Policies(found).put_in_force(document, at=current_time())
    for each in stored.policy.strange():
        note(f"mind: {each}")
    text = f"policy version {stored.version} is in force ({stored.digest.hex()[:12]})"
    emit(_policy_fields(stored), text, as_json=as_json)


@policy.command("show")
@state_option
@database_option
@json_option
def policy_show(state: StateDirectory, database: str | None, *, as_json: bool) -> None:
    """Print the policy in force, as it was given."""
    with open_database(state, database) as found:
        stored = Policies(found).in_force()
    if stored is None:
        raise TabascoError("no policy is in force, so no hardware is accepted: tabasco policy set")
    text = stored.document.decode()
    emit(_policy_fields(stored) | {"document": text}, text.rstrip("\n"), as_json=as_json)


@policy.command("list")
@state_option
@database_option
@json_option
def policy_list(state: StateDirectory, database: str | None, *, as_json: bool) -> None:
    """Print the versions there were, the one in force first."""
    with open_database(state, database) as found:
        every = Policies(found).all()
    lines = [f"{each.version:>4}  {each.digest.hex()}  {told(each.set_at)}" for each in every]
    text = "\n".join(lines) or "no policy is in force: see tabasco policy set"
    emit({"policies": [_policy_fields(each) for each in every]}, text, as_json=as_json)


@policy.command("explain")
@click.argument("file", type=_FILE)
@click.option("--kind", type=click.Choice([each.value for each in Kind]),
              help="What FILE is; by default what its form says.")  # fmt: skip
@click.option("--policy", "draft", type=_FILE, metavar="FILE.toml",
              help="A draft to explain instead of the policy in force.")  # fmt: skip
@click.option("--certificate", type=_FILE, metavar="FILE",
              help="The VCEK or VLEK (PEM or DER), for SEV-SNP.")  # fmt: skip
@click.option("--authorities", type=_FILE, metavar="FILE.pem",
              help="AMD's certificates above it, for SEV-SNP.")  # fmt: skip
@click.option("--at", type=TIME, metavar="TIME", show_default="now",
              help="The time to verify for, as 2026-02-25T12:00:00Z.")  # fmt: skip
@store_option
@state_option
@database_option
@json_option
@click.pass_context
def policy_explain(
    context: click.Context,
    /,
    *,
    file: Path,
    kind: str | None,
    draft: Path | None,
    certificate: Path | None,
    authorities: Path | None,
    at: datetime | None,
    store: Path,
    state: StateDirectory,
    database: str | None,
    as_json: bool,
) -> None:
    """Say what would come of the evidence in FILE, check by check, with the reference values kept.

    Nothing is decided by it. Exit status: 0 accepted, 3 refused.
    """
    data = plain(read_file(file, limit=MAX_EVIDENCE_BYTES, what="evidence"))
    parts = {"certificate": certificate, "authorities": authorities}
    auxiliary = {
        name: read_file(path, limit=MAX_BUNDLE_BYTES, what=name)
        for name, path in parts.items()
        if path is not None
    }
    document = b""
    if draft is not None:
        document = read_file(draft, limit=MAX_POLICY_BYTES, what="appraisal policy")
    try:
        wanted = Kind(kind) if kind else kind_of(data)
    except EvidenceError as error:
        raise TabascoError(f"{file}: {error.detail}: name the kind, by --kind") from error
    with open_database(state, database) as found:
        report = explain(
            NativeEvidence(wanted.value, data, auxiliary),
            database=found,
            source=StoredCollateral(Store(store)),
            at=at or current_time(),
            document=document,
        )
    emit(as_report(report), as_text(report), as_json=as_json)
    if report.verdict is not Verdict.ACCEPTED:
        context.exit(REFUSED)


@click.group("reference-values")
def reference_values() -> None:
    """Keep the values that measurements may have."""


@reference_values.command("add")
@click.option("--kind", type=click.Choice([each.value for each in Kind]), required=True,
              help="The kind of evidence.")  # fmt: skip
@click.option("--measurement", required=True, metavar="NAME",
              help="Which measurement, by the platform's name, such as mrenclave.")  # fmt: skip
@click.option("--label", default="", help="What it is the value of, for people.")
@click.option("--not-before", type=_TIME, help="From when on it counts (UTC).")
@click.option("--not-after", type=_TIME, help="Until when (UTC).")
@click.argument("value", metavar="HEX")
@state_option
@database_option
@json_option
def reference_values_add(
    *,
    kind: str,
    measurement: str,
    label: str,
    not_before: datetime | None,
    not_after: datetime | None,
    value: str,
    state: StateDirectory,
    database: str | None,
    as_json: bool,
) -> None:
    """Add a value (32, 48 or 64 bytes in hexadecimal)."""
    wanted = ReferenceValue(
        Kind(kind),
        measurement,
        in_hex(value),
        label,
        not_before=_utc(not_before),
        not_after=_utc(not_after),
    )
    with open_database(state, database, create=True) as found:
        added = ReferenceValues(found).add(wanted, at=current_time())
    if (strange := strange_measurement(wanted.kind, wanted.measurement)) is not None:
        note(f"mind: {strange}")
    emit(_value_fields(added), f"reference value {added.number} is added", as_json=as_json)


@reference_values.command("list")
@state_option
@database_option
@json_option
def reference_values_list(state: StateDirectory, database: str | None, *, as_json: bool) -> None:
    """Print every value, with its number."""
    with open_database(state, database) as found:
        every = ReferenceValues(found).all()
    lines = [
        f"{each.number:>5}  {each.kind:<9} {each.measurement:<12} {each.value.hex()}  "
        f"{each.provider}  {each.label}".rstrip()
        for each in every
    ]
    text = "\n".join(lines) or "there are none: see tabasco reference-values add"
    emit({"reference_values": [_value_fields(each) for each in every]}, text, as_json=as_json)


@reference_values.command("show")
@click.argument("number", type=int)
@state_option
@database_option
@json_option
def reference_values_show(
    number: int, state: StateDirectory, database: str | None, *, as_json: bool
) -> None:
    """Print the value of this number."""
    with open_database(state, database) as found:
        fields = _value_fields(ReferenceValues(found).get(number))
    text = "\n".join(f"{name:<12} {value}" for name, value in fields.items() if value is not None)
    emit(fields, text, as_json=as_json)


@reference_values.command("remove")
@click.argument("number", type=int)
@state_option
@database_option
@json_option
def reference_values_remove(
    number: int, state: StateDirectory, database: str | None, *, as_json: bool
) -> None:
    """Forget the value of this number."""
    with open_database(state, database) as found:
        removed = ReferenceValues(found).remove(number, at=current_time())
    emit(_value_fields(removed), f"reference value {number} is removed", as_json=as_json)


@reference_values.command("import")
@click.argument("file", type=_FILE)
@state_option
@database_option
@json_option
def reference_values_import(
    file: Path, state: StateDirectory, database: str | None, *, as_json: bool
) -> None:
    """Take in the bundle in FILE: a JWS over JSON or a CoRIM, signed by a registered provider.

    It replaces everything that its provider said before.
    """
    bundle = read_file(file, limit=MAX_BUNDLE_BYTES, what="bundle")
    with open_database(state, database) as found:
        provider, count = ReferenceValues(found).take_in(bundle, at=current_time())
    fields = {"provider": provider.name, "version": provider.bundle_version, "values": count}
    text = f"{count} values by {provider.name}, version {provider.bundle_version}, are taken in"
    emit(fields, text, as_json=as_json)


@reference_values.group("provider")
def provider() -> None:
    """Say whose bundles are taken in."""


@provider.command("add")
@click.option("--name", required=True, help="What to call it.")
@click.argument("file", type=_FILE)
@state_option
@database_option
@json_option
def provider_add(
    name: str, file: Path, state: StateDirectory, database: str | None, *, as_json: bool
) -> None:
    """Take in bundles signed by the P-256 key whose public half is in FILE (PEM)."""
    key = public_key_in(file)
    with open_database(state, database, create=True) as found:
        added = ReferenceValues(found).add_provider(name, key, at=current_time())
    emit({"name": added.name}, f"provider {name} is registered", as_json=as_json)


@provider.command("list")
@state_option
@database_option
@json_option
def provider_list(state: StateDirectory, database: str | None, *, as_json: bool) -> None:
    """Print whose bundles are taken in, and the version of the last one."""
    with open_database(state, database) as found:
        every = ReferenceValues(found).providers()
    text = "\n".join(f"{each.name}  version {each.bundle_version}" for each in every)
    fields = [{"name": each.name, "version": each.bundle_version} for each in every]
    emit({"providers": fields}, text or "nobody's are", as_json=as_json)


@click.group("revoke")
def revoke() -> None:
    """Believe something no more; for an instance see `tabasco instance revoke`."""


def _revoke(
    subject: Subject, value: bytes, reason: str, state: StateDirectory, database: str | None
) -> None:
    with open_database(state, database, create=True) as found:
        Revocations(found).add(subject, value, reason, at=current_time())


@revoke.command("measurement")
@click.argument("value", metavar="HEX")
@click.option("--reason", default="", help="Why, for people.")
@state_option
@database_option
@json_option
def revoke_measurement(
    value: str, reason: str, state: StateDirectory, database: str | None, *, as_json: bool
) -> None:
    """Believe no runtime and no root attester that measures HEX."""
    measured = in_hex(value)
    _revoke(Subject.MEASUREMENT, measured, reason, state, database)
    text = f"measurement {measured.hex()[:12]} is revoked"
    emit({"measurement": measured}, text, as_json=as_json)


@revoke.command("key")
@click.argument("file", type=_FILE)
@click.option("--reason", default="", help="Why, for people.")
@state_option
@database_option
@json_option
def revoke_key(
    file: Path, reason: str, state: StateDirectory, database: str | None, *, as_json: bool
) -> None:
    """Have the P-256 key in FILE (PEM) never enrol again; an instance that has it stays.

    A root that has it is removed, and the instances that it vouched for are revoked.
    """
    digest = keys.digest_of(public_key_in(file))
    _revoke(Subject.KEY, digest, reason, state, database)
    emit({"key": digest}, f"key {digest.hex()[:12]} is revoked", as_json=as_json)


@revoke.command("list")
@state_option
@database_option
@json_option
def revoke_list(state: StateDirectory, database: str | None, *, as_json: bool) -> None:
    """Print every revocation of a measurement or key."""
    with open_database(state, database) as found:
        every = Revocations(found).all()
    lines = [
        f"{each.subject:<12} {each.value.hex()}  {told(each.revoked_at)}  {each.reason}".rstrip()
        for each in every
    ]
    fields = [
        {
            "subject": each.subject.value,
            "value": each.value,
            "reason": each.reason,
            "revoked_at": each.revoked_at,
        }
        for each in every
    ]
    emit({"revocations": fields}, "\n".join(lines) or "nothing is revoked", as_json=as_json)


def in_hex(text: str) -> bytes:
    """The bytes that hexadecimal digits are.

    Raises:
        click.BadParameter: they are something else.
    """
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise click.BadParameter(f"{text[:40]!r} is not hexadecimal") from None


def _utc(time: datetime | None) -> datetime | None:
    return None if time is None else time.replace(tzinfo=UTC)


def _policy_fields(stored: StoredPolicy) -> dict[str, object]:
    return {"version": stored.version, "digest": stored.digest, "set_at": stored.set_at}


def _value_fields(value: ReferenceValue) -> dict[str, object]:
    return {
        "number": value.number,
        "kind": value.kind.value,
        "measurement": value.measurement,
        "value": value.value.hex(),
        "label": value.label,
        "provider": value.provider,
        "not_before": value.not_before,
        "not_after": value.not_after,
    }
