"""`durango policy sign`: agree to a policy, without asking anybody."""

from datetime import UTC, datetime
from pathlib import Path

import click

from durango.cli.options import (
    FILE,
    certificate_option,
    force_option,
    key_option,
    key_password_option,
    load_identity,
    policy_argument,
)
from durango.consents import sign_policy
from durango.identity import require_member
from veracruz_shells.console import emit, json_option, write_new_file
from veracruz_shells.policy_files import read_policy


@click.command("sign")
@policy_argument
@certificate_option()
@key_option()
@key_password_option
@click.option("--output", type=FILE, required=True, help="The file for your signed consent.")
@force_option
@json_option
def sign(
    *,
    policy: Path,
    certificate: Path,
    key: Path,
    key_password: Path | None,
    output: Path,
    force: bool,
    as_json: bool,
) -> None:
    """Sign that you agree to POLICY, to its last byte. Read it first: `durango policy explain`.

    The file tells nobody a secret: give it to whoever collects them, or hand it in yourself by
    `durango policy consent`.
    """
    agreed = read_policy(policy)
    agreed.require_in_force(datetime.now(UTC))
    identity = load_identity(certificate, key, key_password)
    signature = sign_policy(agreed, identity)
    write_new_file(output, signature, mode=0o644, force=force)
    member = require_member(agreed, identity)
    facts = {"file": output, "client_id": member.client_id, "policy_digest": agreed.digest}
    emit(facts, f"{member.label} agrees to policy {agreed.digest}: {output}", as_json=as_json)
