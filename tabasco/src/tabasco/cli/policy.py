"""The commands `tabasco policy ...`: what is accepted of hardware evidence."""

from datetime import datetime
from pathlib import Path

import click

from psa_attestation.evidence.native import AuxiliaryPart, NativeEvidence
from tabasco.appraisal.inspection import REFUSED, EvidenceVerdict, as_text
from tabasco.appraisal.inspection import as_json as as_report
from tabasco.appraisal.policy import MAX_POLICY_BYTES, AppraisalPolicy
from tabasco.cli.options import (
    TIME,
    current_time,
    database_option,
    format_time,
    open_database,
    state_option,
    store_option,
)
from tabasco.collateral import Store, StoredCollateral
from tabasco.errors import TabascoError
from tabasco.registry.bundles import MAX_BUNDLE_BYTES
from tabasco.registry.policies import Policies, StoredPolicy
from tabasco.registry.state import StateDirectory
from tabasco.service.explanation import explain
from tabasco.verify.detection import kind_of, plain
from tabasco.verify.errors import EvidenceError
from tabasco.verify.kinds import MAX_EVIDENCE_BYTES, EvidenceKind
from veracruz_shells.console import emit, json_option, note, read_file, subgroup

_FILE = click.Path(path_type=Path, dir_okay=False, allow_dash=True)


@subgroup("policy")
def policy() -> None:
    """Manage appraisal policies, which decide what hardware evidence is accepted."""


@policy.command("set")
@click.argument("file", type=_FILE)
@click.option("--instead-of", type=int, metavar="VERSION",
              help="Withdraw the policy in force, of this very version; for a version that was too "
              "high.")  # fmt: skip
@state_option
@database_option
@json_option
def policy_set(
    *,
    file: Path,
    instead_of: int | None,
    state: StateDirectory,
    database: str | None,
    as_json: bool,
) -> None:
    """Put the appraisal policy in FILE (TOML, - for stdin) in force.

    Its version has to be higher than that of the policy before. It applies to who is enrolled, too.
    """
    document = read_file(file, limit=MAX_POLICY_BYTES, what="appraisal policy")
    with open_database(state, database, create=True) as found:
        stored = Policies(found).put_in_force(document, at=current_time(), instead_of=instead_of)
    _warn(stored.policy)
    text = f"policy version {stored.version} is in force ({stored.digest.hex()[:12]})"
    if stored.ended:
        text += f"; {stored.ended} enrolments are accepted no more"
    emit(_policy_fields(stored) | {"ended": stored.ended}, text, as_json=as_json)


@policy.command("show")
@state_option
@database_option
@json_option
def policy_show(state: StateDirectory, database: str | None, *, as_json: bool) -> None:
    """Print the policy in force, as it was given."""
    with open_database(state, database) as found:
        stored = Policies(found).in_force()
    if stored is None:
        raise TabascoError(
            "no policy is in force, so no hardware is accepted: see tabasco policy set"
        )
    text = stored.document.decode()
    emit(_policy_fields(stored) | {"document": text}, text.rstrip("\n"), as_json=as_json)


@policy.command("list")
@state_option
@database_option
@json_option
def policy_list(state: StateDirectory, database: str | None, *, as_json: bool) -> None:
    """List all versions of the policy, newest first; a withdrawn one decides nothing."""
    with open_database(state, database) as found:
        every = Policies(found).all()
    lines = [
        f"{each.version:>4}  {each.digest.hex()}  {format_time(each.set_at)}"
        + ("" if each.withdrawn_at is None else "  withdrawn")
        for each in every
    ]
    text = "\n".join(lines) or "no policy is in force: see tabasco policy set"
    emit({"policies": [_policy_fields(each) for each in every]}, text, as_json=as_json)


@policy.command("explain")
@click.argument("file", type=_FILE)
@click.option("--kind", type=click.Choice([each.value for each in EvidenceKind]),
              help="Evidence kind; detected by default.")  # fmt: skip
@click.option("--policy", "draft", type=_FILE, metavar="FILE.toml",
              help="Draft to explain instead of the policy in force.")  # fmt: skip
@click.option("--certificate", type=_FILE, metavar="FILE",
              help="The VCEK or VLEK (PEM or DER), for SEV-SNP.")  # fmt: skip
@click.option("--authorities", type=_FILE, metavar="FILE.pem",
              help="AMD's certificates above it, for SEV-SNP.")  # fmt: skip
@click.option("--event-log", type=_FILE, metavar="FILE",
              help="What firmware extended a TPM's registers with.")  # fmt: skip
@click.option("--at", type=TIME, metavar="TIME", show_default="now",
              help="Time to verify for, such as 2026-02-25T12:00:00Z.")  # fmt: skip
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
    event_log: Path | None,
    at: datetime | None,
    store: Path,
    state: StateDirectory,
    database: str | None,
    as_json: bool,
) -> None:
    """Show how the evidence in FILE would be appraised, check by check, without deciding anything.

    Exit status: 0 accepted, 3 refused.
    """
    data = plain(read_file(file, limit=MAX_EVIDENCE_BYTES, what="evidence"))
    parts = {
        AuxiliaryPart.CERTIFICATE: certificate,
        AuxiliaryPart.AUTHORITIES: authorities,
        AuxiliaryPart.EVENT_LOG: event_log,
    }
    auxiliary = {
        name.value: read_file(path, limit=MAX_BUNDLE_BYTES, what=name)
        for name, path in parts.items()
        if path is not None
    }
    document = b""
    if draft is not None:
        document = read_file(draft, limit=MAX_POLICY_BYTES, what="appraisal policy")
        _warn(AppraisalPolicy.parse(document))
    try:
        wanted = EvidenceKind(kind) if kind else kind_of(data)
    except EvidenceError as error:
        raise TabascoError(f"{file}: {error.detail}: give the kind with --kind") from error
    with open_database(state, database) as found:
        report = explain(
            NativeEvidence(wanted.value, data, auxiliary),
            database=found,
            source=StoredCollateral(Store(store)),
            at=at or current_time(),
            document=document,
        )
    emit(as_report(report), as_text(report), as_json=as_json)
    if report.verdict is not EvidenceVerdict.ACCEPTED:
        context.exit(REFUSED)


def _warn(found: AppraisalPolicy) -> None:
    for each in found.warnings():
        note(f"warning: {each}")


def _policy_fields(stored: StoredPolicy) -> dict[str, object]:
    return {
        "version": stored.version,
        "digest": stored.digest,
        "set_at": stored.set_at,
        "withdrawn_at": stored.withdrawn_at,
    }
