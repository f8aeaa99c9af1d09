"""The command `tabasco`: parse, call the library, print."""

from tabasco.cli.administrators import administrator
from tabasco.cli.audit import audit
from tabasco.cli.collateral import collateral
from tabasco.cli.event_log import event_log
from tabasco.cli.instances import instance
from tabasco.cli.platform_keys import platform_key
from tabasco.cli.policy import policy
from tabasco.cli.reference_values import reference_values
from tabasco.cli.result_keys import init, key_commands, public_key
from tabasco.cli.revoke import revoke
from tabasco.cli.roots import root
from tabasco.cli.serve import DISTRIBUTION, serve
from tabasco.cli.tenants import tenant
from tabasco.cli.verify import verify
from veracruz_shells.settings import service_group

__all__ = ["main"]


@service_group(
    "tabasco",
    distribution=DISTRIBUTION,
    help="The attestation service: enrols root attestation isolates and vouches for their tokens.",
)
def main() -> None:
    """The group; each command is a module of this package."""


for _command in (
    init,
    public_key,
    serve,
    root,
    instance,
    verify,
    event_log,
    collateral,
    platform_key,
    policy,
    reference_values,
    revoke,
    audit,
    key_commands,
    administrator,
    tenant,
):
    main.add_command(_command)
