"""What a policy means: shown, explained, checked, compared."""

from datetime import UTC, datetime
from pathlib import Path

import click

from durango.cli.options import FILE, force_option, policy_argument, releases_option
from durango.policy.checking import check_policy
from durango.policy.differences import diff_policies
from durango.policy.facts import policy_facts, policy_text
from durango.policy.meaning import explain_policy
from durango.releases import Releases
from veracruz_shells.console import emit, json_option, progress, write_new_file
from veracruz_shells.policy_files import read_policy
from veracruz_utils.policy import Policy


@click.command("show")
@policy_argument
@json_option
def show(*, policy: Path, as_json: bool) -> None:
    """Show who may do what under POLICY, and what is accepted."""
    found = read_policy(policy)
    emit(policy_facts(found), policy_text(found), as_json=as_json)


@click.command("explain")
@policy_argument
@click.option("--html", type=FILE, help="Write the explanation as a page of one file, too.")
@force_option
@json_option
def explain(*, policy: Path, html: Path | None, force: bool, as_json: bool) -> None:
    """Say in plain words what POLICY means: who learns what, who can do what, what is not safe."""
    found = explain_policy(read_policy(policy))
    if html is not None:
        write_new_file(html, found.to_html().encode(), mode=0o644, force=force)
    facts = {"digest": str(found.policy.digest), "page": html, **found.facts}
    emit(facts, str(found), as_json=as_json)


@click.command("check")
@policy_argument
@click.option("--program", type=FILE, help="Is this the program?")
@click.option("--certificate", type=FILE, help="Which principal is this?")
@click.option(
    "--image",
    type=click.Path(path_type=Path),
    metavar="FOLDER|FILE",
    help="Is the runtime in this image accepted?",
)
@click.option(
    "--machine",
    type=FILE,
    help="Does it name this machine? A file of `sonora machine measure IMAGE --policy`.",
)
@click.option("--tabasco-key", type=FILE, help="Is this the key of the attestation service?")
@click.option(
    "--certification", type=FILE, help="Do the limits reach this file of `tlaxcala certify`?"
)
@releases_option
@json_option
def check(
    *,
    policy: Path,
    program: Path | None,
    certificate: Path | None,
    image: Path | None,
    machine: Path | None,
    tabasco_key: Path | None,
    certification: Path | None,
    config: Path,
    as_json: bool,
) -> None:
    """Check POLICY by all rules, and against what you have in hand.

    Exit status 3 if it cannot be used, or something in hand is not what it says. Which release of
    the runtime a measurement belongs to is told by the releases you know: see `durango release`.
    """
    now = datetime.now(UTC)
    agreed = read_policy(policy)
    with progress("checking"):
        found = check_policy(
            agreed,
            program=program,
            certificate=certificate,
            image=image,
            machine=machine,
            tabasco_key=tabasco_key,
            certification=certification,
            releases=Releases(config, at=now),
            at=now,
        )
    emit(found.facts, str(found), as_json=as_json)
    found.require_usable(name=str(policy))


@click.command("diff")
@click.argument("first", type=FILE)
@click.argument("second", type=FILE)
@releases_option
@json_option
def diff(*, first: Path, second: Path, config: Path, as_json: bool) -> None:
    """Say in what the policies FIRST and SECOND differ; exit status 1 if they are two.

    A source in TOML stands for the policy that is built of it now.
    """
    now = datetime.now(UTC)
    found = diff_policies(*(_read_or_build(each, config, now) for each in (first, second)))
    emit(found.facts, str(found), as_json=as_json)
    if not found.same:
        click.get_current_context().exit(1)


def _read_or_build(path: Path, config: Path, now: datetime) -> Policy:
    if path.suffix.lower() != ".toml":
        return read_policy(path)
    from durango.policy.building import build_policy  # noqa: PLC0415 - most compare policies

    return build_policy(path, releases=Releases(config, at=now), at=now)
