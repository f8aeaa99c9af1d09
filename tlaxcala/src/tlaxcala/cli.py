"""The command line: `tlaxcala check FILE...`, and certificates.

Exit status: 0 every file is certified, 1 one is not (or cannot be read), 2 wrong usage.
"""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from execution_engine import abi
from execution_engine.limits import EngineLimits
from execution_engine.strategy import engine_version
from execution_engine.text import printable
from tlaxcala._version import VERSION
from tlaxcala.certificate import MAX_CERTIFICATE_BYTES, Difference, certify, differences
from tlaxcala.rules import RULES, Rule
from tlaxcala.sarif import sarif
from tlaxcala.verdict import MAX_NAME, Verdict, judge
from tlaxcala.verdict_page import verdict_page
from veracruz_shells.console import (
    command_group,
    emit,
    json_option,
    json_wanted,
    note,
    read_file,
    write_new_file,
)
from veracruz_shells.policy_files import read_policy
from veracruz_utils.digest import Digest


def _explain(context: click.Context, _option: click.Parameter, code: str | None) -> None:
    if code is None:
        return
    rule = RULES.get(code.upper())
    if rule is None:
        raise click.BadParameter(f"unknown code {code[:20]!r}; known codes: {', '.join(RULES)}")
    emit(asdict(rule), _explanation(rule), as_json=json_wanted())
    context.exit()


def _explanation(rule: Rule) -> str:
    return f"{rule.code} {rule.title}\n\n{rule.explanation}\n\nTo do: {rule.remedy}"


explain_option: Final = click.option(
    "--explain",
    metavar="CODE",
    is_eager=True,
    expose_value=False,
    callback=_explain,
    help="Explain the code of a finding and what to do about it, and exit.",
)
policy_option: Final = click.option(
    "--policy",
    "policy_file",
    type=click.Path(path_type=Path),
    help="Check against this policy's limits and program digest instead of the default limits.",
)
module_argument: Final = click.argument("module", metavar="MODULE", type=click.Path(path_type=Path))


@command_group(
    "tlaxcala",
    distribution="veracruz-tlaxcala",
    help="Certify that WebAssembly modules assume only the Veracruz ABI.",
)
@explain_option
@json_option
def main(as_json: bool) -> None:  # noqa: FBT001
    """The group of commands."""
    if as_json:
        raise click.UsageError("--json stands behind the command, or beside --explain")


@main.command("check")
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path)
)
@policy_option
@json_option
@click.option("--sarif", "as_sarif", is_flag=True, help="Print the result as a SARIF 2.1.0 log.")
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the verdicts as a page of one file, too.",
)
@click.option("--force", is_flag=True, help="Overwrite that file if it exists.")
@explain_option
@click.pass_context
def check_files(
    context: click.Context,
    /,
    *,
    files: tuple[Path, ...],
    policy_file: Path | None,
    as_json: bool,
    as_sarif: bool,
    html: Path | None,
    force: bool,
) -> None:
    """Report for each FILE whether the engine would load and run it; `-` is standard input.

    A module is certified when it imports nothing but host calls, with their types, exports the
    memory and entry point that the engine uses, has no start section, keeps to the supported
    features and to every static limit. Exit status 0: all are certified; 1: one is not.
    """
    if as_json and as_sarif:
        raise click.UsageError("--json and --sarif exclude each other")
    limits, program = _terms(policy_file)
    verdicts = [judge(file, limits=limits, program=program) for file in files]
    certified = all(verdict.certified for verdict in verdicts)
    if html is not None:
        told = verdict_page(verdicts, limits=limits)
        write_new_file(html, told.encode(), mode=0o644, force=force)
    if as_sarif:
        emit(sarif(verdicts), "", as_json=True)
    else:
        emit(
            {
                "certified": certified,
                "tool": {"name": "tlaxcala", "version": VERSION},
                "engine": engine_version(),
                "abi_version": abi.VERSION,
                "limits": asdict(limits),
                "files": [verdict.as_json() for verdict in verdicts],
            },
            "\n".join(verdict.as_text() for verdict in verdicts),
            as_json=as_json,
        )
    context.exit(0 if certified else 1)


@main.command("certify")
@module_argument
@click.option(
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    help="File to write the certificate to.",
)
@click.option("--force", is_flag=True, help="Overwrite the file if it exists.")
@policy_option
@click.pass_context
def certify_module(
    context: click.Context,
    module: Path,
    output: Path,
    force: bool,  # noqa: FBT001
    policy_file: Path | None,
) -> None:
    """Check MODULE and write a certificate that others can check with `tlaxcala verify`.

    The bytes of a certificate depend on the module, the limits and the versions only. Exit status
    1: the module is refused, and no file is written.
    """
    limits, program = _terms(policy_file)
    verdict = judge(module, limits=limits, program=program)
    click.echo(verdict.as_text())
    if verdict.report is None or not verdict.certified:
        context.exit(1)
    write_new_file(output, certify(verdict.report, limits=limits), mode=0o644, force=force)
    note(f"certificate written to {printable(str(output), MAX_NAME)}")


@main.command("verify")
@click.argument("certificate", metavar="CERTIFICATE", type=click.Path(path_type=Path))
@module_argument
@policy_option
@json_option
@click.pass_context
def verify_certificate(
    context: click.Context,
    certificate: Path,
    module: Path,
    policy_file: Path | None,
    as_json: bool,  # noqa: FBT001
) -> None:
    """Check MODULE again, and compare the result with CERTIFICATE.

    Nothing in the certificate is trusted, and the limits are not taken from it: give the policy it
    was made with. Only the versions of tool and engine may differ; a difference is reported. Exit
    status 0: the module is certified and the certificate holds; 1: otherwise.
    """
    limits, program = _terms(policy_file)
    raw = read_file(certificate, limit=MAX_CERTIFICATE_BYTES, what="certificate")
    verdict = judge(module, limits=limits, program=program)
    found = () if verdict.report is None else differences(raw, verdict.report, limits=limits)
    holds = verdict.certified and not any(one.matters for one in found)
    emit(
        {
            "verified": holds,
            "certificate": str(certificate),
            "differences": [asdict(one) for one in found],
            "module": verdict.as_json(),
        },
        _comparison(verdict, found, holds=holds),
        as_json=as_json,
    )
    context.exit(0 if holds else 1)


def _comparison(verdict: Verdict, found: tuple[Difference, ...], *, holds: bool) -> str:
    lines = [verdict.as_text(), f"the certificate {'holds' if holds else 'does not hold'}"]
    lines.extend(f"  {'' if one.matters else '(not significant) '}{one}" for one in found)
    return "\n".join(lines)


def _terms(policy_file: Path | None) -> tuple[EngineLimits, Digest | None]:
    """The limits to hold modules to, and the digest to expect, if any."""
    if policy_file is None:
        return EngineLimits(), None
    policy = read_policy(policy_file, at=datetime.now(UTC))
    return EngineLimits.from_policy(policy.limits), policy.program_digest
