"""The commands about tenants: `tabasco tenant add` and `list`."""

import click

from tabasco.cli.options import bare_state_option
from tabasco.registry.state import StateDirectory
from tabasco.registry.tenants import add_tenant, tenants_of
from veracruz_shells.console import emit, json_option, subgroup
from veracruz_utils.key_files import pem_of


@subgroup("tenant")
def tenant() -> None:
    """Manage tenants: each has its own keys, database and administrators.

    The other commands work on the tenant that --tenant names.
    """


@tenant.command("add")
@click.argument("name")
@click.option(
    "--database",
    metavar="URL",
    show_default="an SQLite file in its directory",
    help="Database URL of this tenant alone.",
)
@bare_state_option
@json_option
def tenant_add(name: str, database: str | None, state: StateDirectory, *, as_json: bool) -> None:
    """Add tenant NAME; a running service serves it after its next start."""
    state.prepare()
    made = add_tenant(state, name, database=database)
    key = pem_of(made.result_key().public_key()).decode()
    emit(
        {"name": name, "path": made.path, "public_key": key},
        f"tenant {name} is added, served at /tenants/{name} over HTTP; its result key is:\n"
        + key.rstrip("\n"),
        as_json=as_json,
    )


@tenant.command("list")
@bare_state_option
@json_option
def tenant_list(state: StateDirectory, *, as_json: bool) -> None:
    """List the tenants besides the default one."""
    found = [{"name": each.tenant, "path": each.path} for each in tenants_of(state)]
    text = "\n".join(f"{each['name']}  {each['path']}" for each in found)
    emit({"tenants": found}, text or "no tenants besides the default one", as_json=as_json)
