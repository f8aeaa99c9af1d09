"""Tenants: who share a service and nothing else.

A tenant has a state directory of its own inside the service's, with its own result keys, and a
database of its own: by default the SQLite file in there, or the one whose URL it was added with. So
its roots, instances, challenges, policies, reference values, revocations, administrators and audit
log are apart from everybody else's, not by a condition in each query but because they are
elsewhere. Relying parties pin a tenant's key, and no other tenant's results are under it. The
service's own state is the tenant `default`.
"""

import hmac
import re
import shutil
from typing import Final

from tabasco.errors import TabascoError
from tabasco.registry.database import Database
from tabasco.registry.state import DEFAULT_TENANT, StateDirectory
from veracruz_shells.files import write_new_file
from veracruz_utils.errors import VeracruzError
from veracruz_utils.secret import Secret

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_KEY_LABEL: Final = b"veracruz-tabasco-tenant-v1\0"


def add_tenant(state: StateDirectory, name: str, *, database: str | None) -> StateDirectory:
    """Make a tenant, with a result key and an empty database.

    Raises:
        VeracruzError: the name is malformed or in use, or the database cannot be opened.
    """
    if not _NAME.fullmatch(name) or name == DEFAULT_TENANT:
        raise TabascoError(
            f"{name[:80]!r} is not a name for a tenant: use a-z, 0-9 and '-', at most 63, "
            f"and not {DEFAULT_TENANT!r}"
        )
    tenant = state.tenant_named(name)
    if tenant.path.exists():
        raise TabascoError(f"there is a tenant {name!r} already")
    if database is not None:
        Database.open(database, connections=1).close()
    tenant.prepare()
    try:
        if database is not None:
            write_new_file(tenant.database_file, database.encode() + b"\n", mode=0o600)
        tenant.make_result_key()
        Database.open(tenant.database_url, connections=1).close()
    except VeracruzError:
        shutil.rmtree(tenant.path)  # or the half of a tenant would be in the way of another try
        raise
    return tenant


def tenants_of(state: StateDirectory) -> list[StateDirectory]:
    """Every tenant but the default one, by name."""
    if not state.tenants_path.is_dir():
        return []
    names = sorted(path.name for path in state.tenants_path.iterdir() if path.is_dir())
    return [state.tenant_named(name) for name in names if _NAME.fullmatch(name)]


def existing_tenant(state: StateDirectory, name: str) -> StateDirectory:
    """The tenant of this name, or the default one.

    Raises:
        TabascoError: there is none.
    """
    if name == DEFAULT_TENANT:
        return state
    tenant = state.tenant_named(name) if _NAME.fullmatch(name) else None
    if tenant is None or not tenant.path.is_dir():
        raise TabascoError(f"there is no tenant {name[:80]!r}: see tabasco tenant list")
    return tenant


def challenge_key_of(tenant: str, key: Secret) -> Secret:
    """The key of one tenant's stateless challenges: they are worth nothing to another tenant."""
    return Secret(hmac.digest(key.reveal(), _KEY_LABEL + tenant.encode(), "sha256"))
