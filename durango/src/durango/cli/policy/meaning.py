"""What a policy means: shown, explained, checked, compared."""

from datetime import UTC, datetime
from pathlib import Path

import click

from durango.cli.options import FILE, force_option, policy_argument, releases_option
from durango.policy.differences import differences
from durango.policy.explanation import explain as explained
from durango.policy.explanation import explanation_facts, explanation_text
from durango.policy.facts import policy_facts, policy_text
from durango.policy.hands import (
    Held,
    hold_certificate,
    hold_certification,
    hold_image,
    hold_program,
    hold_tabasco_key,
)
from durango.policy.page import explanation_page
from durango.policy.pinned_runtimes import describe_runtimes, pinned_runtimes
from durango.policy.rules import Severity, check_policy
from durango.releases import Releases
from veracruz_shells.console import emit, json_option, write_new_file
from veracruz_shells.policy_files import read_policy
from veracruz_utils.errors import RefusedError


class PolicyRefusedError(RefusedError):
    """A policy that cannot do what it is for, or is not the one for what a party has in hand."""


@click.command("show")
@policy_argument
@json_option
def show(*, policy: Path, as_json: bool) -> None:
    """Show who may do what under POLICY, and what is accepted."""
    found = read_policy(policy, at=None)
    emit(policy_facts(found), policy_text(found), as_json=as_json)


@click.command("explain")
@policy_argument
@click.option("--html", type=FILE, help="Write the explanation as a page of one file, too.")
@force_option
@json_option
def explain(*, policy: Path, html: Path | None, force: bool, as_json: bool) -> None:
    """Say in plain words what POLICY means: who learns what, who can do what, what is not safe."""
    found = read_policy(policy, at=None)
    sections = explained(found)
    if html is not None:
        page = explanation_page(found, sections).encode()
        write_new_file(html, page, mode=0o644, force=force)
    facts = {"digest": str(found.digest), "page": html, **explanation_facts(sections)}
    emit(facts, explanation_text(sections), as_json=as_json)


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
    found = read_policy(policy, at=None)
    releases = Releases(config, at=now)
    pinned = tuple(pinned_runtimes(found, releases))
    held: list[Held] = []
    if program is not None:
        held.append(hold_program(found, program))
    if certificate is not None:
        held.append(hold_certificate(found, certificate))
    if image is not None:
        held.append(hold_image(found, image, pinned))
    if tabasco_key is not None:
        held.append(hold_tabasco_key(found, tabasco_key))
    if certification is not None:
        held.append(hold_certification(found, certification))
    findings = check_policy(found, releases=releases, at=now)
    errors = [each for each in findings if each.rule.severity is Severity.ERROR]
    misfits = [each for each in held if not each.fits]
    usable = not errors and not misfits
    facts = {
        "digest": found.digest,
        "usable": usable,
        "runtimes": [each.facts for each in pinned],
        "held": [each.facts for each in held],
        "findings": [each.facts for each in findings],
        "warnings": [
            f"{each.text}: {each.rule.remedy}"
            for each in findings
            if each.rule.severity is Severity.WARNING
        ],
    }
    text = [f"policy {found.digest}", *describe_runtimes(list(pinned))]
    text += [f"{'ok' if each.fits else 'not so'}: {each.text}" for each in held]
    text += [str(each) for each in findings]
    if usable:
        text.append("it can be used")
    emit(facts, "\n".join(text), as_json=as_json)
    if not usable:
        reasons = [each.text for each in misfits] + [each.text for each in errors]
        raise PolicyRefusedError(f"{policy} cannot be used: {reasons[0]}")


@click.command("diff")
@click.argument("first", type=FILE)
@click.argument("second", type=FILE)
@json_option
def diff(*, first: Path, second: Path, as_json: bool) -> None:
    """Say in what the policies FIRST and SECOND differ; exit status 1 if they are two."""
    one, other = read_policy(first, at=None), read_policy(second, at=None)
    found = differences(one, other)
    same = one.digest == other.digest
    facts = {
        "same": same,
        "digests": [one.digest, other.digest],
        "differences": [each.facts for each in found],
    }
    if same:
        text = f"both are policy {one.digest}"
    elif found:
        text = "\n".join(map(str, found))
    else:
        text = (
            f"they say the same and are two policies all the same, {one.digest.short} and "
            f"{other.digest.short}: white space or the order of names differs"
        )
    emit(facts, text, as_json=as_json)
    if not same:
        click.get_current_context().exit(1)
