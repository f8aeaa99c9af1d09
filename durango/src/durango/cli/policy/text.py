"""The text of a policy: made of TOML, and turned from one form into another."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

import click

from durango.cli.options import FILE, force_option, releases_option
from durango.cli.policy.remarks import warn_or_refuse
from durango.policy.building import build_policy
from durango.policy.checking import check_policy
from durango.policy.conversion import convert_policy, policy_to_toml
from durango.policy.differences import diff_policies
from durango.policy.facts import policy_facts, policy_text
from durango.policy.schema import policy_schema
from durango.releases import Releases
from veracruz_shells.console import emit, json_option, write_new_file
from veracruz_shells.policy_files import read_policy
from veracruz_utils.policy import PolicyFormat

_SUFFIXES: Final = {"toml": ".toml", "json": ".json", "2021": ".2021.json"}


@click.command("build")
@click.argument("source", type=FILE)
@click.option(
    "--output", type=FILE, help="The file to write.  [default: SOURCE with .json in place of .toml]"
)
@releases_option
@force_option
@json_option
def build(*, source: Path, output: Path | None, config: Path, force: bool, as_json: bool) -> None:
    """Make the policy that SOURCE, in TOML, describes: canonical JSON, with its digest.

    Comments, white space and the order of tables change nothing, but that principals are numbered
    in their order. All principals use the file that this writes. One that cannot be used is written
    to be looked at, and refused (status 3): see `durango policy check`.
    """
    now = datetime.now(UTC)
    output = output or source.with_suffix(".json")
    releases = Releases(config, at=now)
    made = build_policy(source, releases=releases, at=now)
    write_new_file(output, made.raw, mode=0o644, force=force)
    emit(
        {"file": output, **policy_facts(made)},
        f"{policy_text(made)}\n\n{output} is policy {made.digest}",
        as_json=as_json,
    )
    warn_or_refuse(check_policy(made, releases=releases, at=now), output)


@click.command("convert")
@click.argument("policy", type=FILE)
@click.option(
    "--to",
    "form",
    type=click.Choice(list(_SUFFIXES)),
    required=True,
    help="`toml` is a source, `json` the current format, `2021` the format of 2021.",
)
@click.option("--output", type=FILE, help="The file to write.  [default: beside POLICY]")
@click.option(
    "--tabasco-key",
    type=FILE,
    help="The key that a policy of 2021 does not name; needed to make a current one of it.",
)
@force_option
@json_option
def convert(
    *,
    policy: Path,
    form: Literal["toml", "json", "2021"],
    output: Path | None,
    tabasco_key: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Write POLICY in another form, as far as that can say the same; it is another policy then.

    What the other form says otherwise all the same is told, term by term.
    """
    found = read_policy(policy)
    output = output or policy.with_suffix(_SUFFIXES[form])
    if form == "json" and found.format is not PolicyFormat.CURRENT and tabasco_key is None:
        raise click.UsageError(
            "a policy of 2021 does not name the key of its attestation service, a current one "
            "does: give it by --tabasco-key FILE"
        )
    facts: dict[str, object] = {"file": output, "form": form}
    lines = [f"{policy} as {form} is in {output}"]
    if form == "toml":
        text = policy_to_toml(found, tabasco_key=tabasco_key).encode()
    else:
        made = convert_policy(found, form, tabasco_key=tabasco_key)
        text = made.raw
        changed = diff_policies(found, made).differences
        facts |= {"digest": made.digest, "differences": [each.facts for each in changed]}
        lines += [f"not the same: {each}" for each in changed]
    write_new_file(output, text, mode=0o644, force=force)
    emit(facts, "\n".join(lines), as_json=as_json)


@click.command("schema")
def schema() -> None:
    """Print the JSON schema of the current format."""
    click.echo(policy_schema())
