"""The commands `tabasco reference-values ...`: what measurements may be, and who may say so."""

from datetime import UTC, datetime
from pathlib import Path

import click

from tabasco.appraisal.known_names import unknown_reference
from tabasco.cli.options import (
    current_time,
    database_option,
    in_hex,
    open_database,
    public_key_in,
    state_option,
)
from tabasco.registry.bundles import MAX_BUNDLE_BYTES, ReferenceValue
from tabasco.registry.reference_values import ReferenceValues
from tabasco.registry.state import StateDirectory
from tabasco.verify.kinds import EvidenceKind
from veracruz_shells.console import emit, json_option, note, read_file, subgroup

_FILE = click.Path(path_type=Path, dir_okay=False, allow_dash=True)
_TIME = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"])


@subgroup("reference-values")
def reference_values() -> None:
    """Manage reference values: what measurements may be."""


@reference_values.command("add")
@click.option("--kind", type=click.Choice([each.value for each in EvidenceKind]), required=True,
              help="The kind of evidence.")  # fmt: skip
@click.option("--measurement", required=True, metavar="NAME",
              help="Name of the measurement, such as mrenclave.")  # fmt: skip
@click.option("--label", default="", help="Free-text label.")
@click.option("--not-before", type=_TIME, help="Start of its validity (UTC).")
@click.option("--not-after", type=_TIME, help="End of its validity (UTC).")
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
        EvidenceKind(kind),
        measurement,
        in_hex(value),
        label,
        not_before=_utc(not_before),
        not_after=_utc(not_after),
    )
    with open_database(state, database, create=True) as found:
        added = ReferenceValues(found).add(wanted, at=current_time())
    if (warning := unknown_reference(wanted.kind, wanted.measurement)) is not None:
        note(f"warning: {warning}")
    emit(_value_fields(added), f"reference value {added.number} is added", as_json=as_json)


@reference_values.command("list")
@state_option
@database_option
@json_option
def reference_values_list(state: StateDirectory, database: str | None, *, as_json: bool) -> None:
    """List all reference values, with their numbers."""
    with open_database(state, database) as found:
        every = ReferenceValues(found).all()
    lines = [
        f"{each.number:>5}  {each.kind:<9} {each.measurement:<12} {each.value.hex()}  "
        f"{each.provider}  {each.label}".rstrip()
        for each in every
    ]
    text = "\n".join(lines) or "no reference values: see tabasco reference-values add"
    emit({"reference_values": [_value_fields(each) for each in every]}, text, as_json=as_json)


@reference_values.command("show")
@click.argument("number", type=int)
@state_option
@database_option
@json_option
def reference_values_show(
    number: int, state: StateDirectory, database: str | None, *, as_json: bool
) -> None:
    """Show the reference value with this number."""
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
    """Remove the reference value with this number: no bundle brings it back."""
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
    """Import the bundle in FILE: a JWS over JSON or a CoRIM, signed by a registered provider.

    It replaces the values and keys of earlier bundles of that provider.
    """
    bundle = read_file(file, limit=MAX_BUNDLE_BYTES, what="bundle")
    with open_database(state, database) as found:
        done = ReferenceValues(found).import_bundle(bundle, at=current_time())
    provider = done.provider
    text = f"imported {done.count} values of {provider.name}, version {provider.bundle_version}"
    if done.left_out:
        text += f"; {done.left_out} were removed here and stay so, add them by hand if wanted"
    if done.ended:
        text += f"; {done.ended} enrolments are accepted no more"
    fields = {
        "provider": provider.name,
        "version": provider.bundle_version,
        "values": done.count,
        "left_out": done.left_out,
        "ended": done.ended,
    }
    emit(fields, text, as_json=as_json)


@reference_values.group("provider")
def provider() -> None:
    """Manage the providers whose bundles are accepted."""


@provider.command("add")
@click.option("--name", required=True, help="Name of the provider.")
@click.argument("file", type=_FILE)
@state_option
@database_option
@json_option
def provider_add(
    name: str, file: Path, state: StateDirectory, database: str | None, *, as_json: bool
) -> None:
    """Accept bundles signed by the P-256 key whose public half is in FILE (PEM)."""
    key = public_key_in(file)
    with open_database(state, database, create=True) as found:
        added = ReferenceValues(found).add_provider(name, key, at=current_time())
    emit({"name": added.name}, f"provider {name} is registered", as_json=as_json)


@provider.command("remove")
@click.argument("name")
@state_option
@database_option
@json_option
def provider_remove(
    name: str, state: StateDirectory, database: str | None, *, as_json: bool
) -> None:
    """Accept no more bundles of provider NAME, and forget what it said.

    Added again, it begins anew: its next bundle may have any version.
    """
    with open_database(state, database) as found:
        count = ReferenceValues(found).remove_provider(name, at=current_time())
    text = f"provider {name} is removed, and {count} values and keys of it"
    emit({"name": name, "values": count}, text, as_json=as_json)


@provider.command("list")
@state_option
@database_option
@json_option
def provider_list(state: StateDirectory, database: str | None, *, as_json: bool) -> None:
    """List the providers, and the version of the last bundle of each."""
    with open_database(state, database) as found:
        every = ReferenceValues(found).providers()
    text = "\n".join(f"{each.name}  version {each.bundle_version}" for each in every)
    fields = [{"name": each.name, "version": each.bundle_version} for each in every]
    emit({"providers": fields}, text or "no provider is registered", as_json=as_json)


def _utc(time: datetime | None) -> datetime | None:
    return None if time is None else time.replace(tzinfo=UTC)


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
