"""`durango policy sign`, `status`, `consent` and `revoke`: who agrees to the policy."""

from datetime import UTC, datetime
from pathlib import Path

import click

from colima.runtime import MAX_SIGNATURE_BYTES
from durango.cli.membership import (
    Access,
    Membership,
    access_options,
    attestation_option,
    membership_options,
)
from durango.cli.options import (
    FILE,
    certificate_option,
    key_option,
    key_password_option,
    load_identity,
)
from durango.consents import sign_policy, signer_of, unsigned
from veracruz_shells.console import emit, json_option, read_file
from veracruz_utils.policy import Policy


@click.command("consent")
@membership_options
@click.argument("signatures", metavar="[FILE]...", type=FILE, nargs=-1)
@json_option
def consent(*, membership: Membership, signatures: tuple[Path, ...], as_json: bool) -> None:
    """Hand in consents to POLICY: your own, which is signed now, or those in files.

    Without a FILE you sign and hand in your own in one step: read the policy first, by `durango
    policy explain`. A FILE is one of `durango policy sign`, your own or another's; all of them are
    looked at before any is handed in.
    """
    agreed = membership.access.policy
    if signatures:
        given = [(str(path), _read(path)) for path in signatures]
    else:
        agreed.require_in_force(datetime.now(UTC))
        given = [("your signature", sign_policy(agreed, membership.identity))]
    signers = [signer_of(agreed, message, name=name) for name, message in given]
    principal, _ = membership.connect()
    with principal:
        for _, message in given:
            principal.consent(message)
        awaited = principal.state().consent_awaited
    lines = [f"{signer.label} agrees to policy {agreed.digest}" for signer in signers]
    _emit(agreed, {signer.client_id for signer in signers}, awaited, lines, as_json=as_json)


@click.command("revoke")
@membership_options
@json_option
def revoke(*, membership: Membership, as_json: bool) -> None:
    """Take back your consent to POLICY, as long as the program has not been run.

    Nobody but you can give it again.
    """
    principal, _ = membership.connect()
    with principal:
        principal.revoke_consent()
        awaited = principal.state().consent_awaited
    line = f"the consent of {membership.member.label} is taken back"
    _emit(membership.access.policy, set(), awaited, [line], as_json=as_json)


@click.command("status")
@access_options
@click.option(
    "--signature",
    "signatures",
    type=FILE,
    multiple=True,
    help="A file of `durango policy sign`; repeatable.",
)
@certificate_option(
    required=False, say="Your certificate (PEM), to ask the isolate whose consent it has."
)
@key_option(required=False)
@key_password_option
@attestation_option
@json_option
def status(
    *,
    access: Access,
    signatures: tuple[Path, ...],
    certificate: Path | None,
    key: Path | None,
    key_password: Path | None,
    attestation: Path | None,
    as_json: bool,
) -> None:
    """Say who agrees to POLICY and whose consent is missing: by files, or as the isolate has it.

    With your certificate and key the isolate is asked; without, the files of `--signature` are
    looked at, and nobody is asked.
    """
    agreed = access.policy
    signers = {}
    for path in signatures:
        signer = signer_of(agreed, _read(path), name=str(path))
        signers[signer.client_id] = signer
    if (certificate is None) != (key is None):
        raise click.UsageError("--certificate and --key go together: give both, or neither")
    if certificate is None or key is None:
        lines = [
            f"{signer.label} agrees, by certificate {signer.digest.short}"
            for signer in signers.values()
        ]
        awaited = tuple(identity.client_id for identity in unsigned(agreed, signers))
    else:
        membership = Membership(access, load_identity(certificate, key, key_password), attestation)
        principal, _ = membership.connect()
        with principal:
            awaited = principal.state().consent_awaited
        lines = [f"{signer.label} agrees, by its file" for signer in signers.values()]
    _emit(agreed, set(signers), awaited, lines, as_json=as_json)


def _emit(
    policy: Policy, signers: set[int], awaited: tuple[int, ...], lines: list[str], *, as_json: bool
) -> None:
    agreement = policy.conduct.consent
    names = ", ".join(policy.named(client_id) for client_id in awaited)
    facts = {
        "policy_digest": policy.digest,
        "signed": sorted(signers),
        "awaited": list(awaited),
        "asked": [] if agreement is None else sorted(agreement.of),
        "least": 0 if agreement is None else agreement.least,
    }
    if agreement is None:
        lines = [*lines, "the policy asks for nobody's consent"]
    else:
        left = f"missing: {names}" if awaited else "there is enough"
        lines = [*lines, f"{agreement.least} of {len(agreement.of)} have to agree; {left}"]
    emit(facts, "\n".join(lines), as_json=as_json)


def _read(path: Path) -> bytes:
    return read_file(path, limit=MAX_SIGNATURE_BYTES, what="consent")
