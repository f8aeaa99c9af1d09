"""The options that commands share, and what is made of them."""

import functools
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from colima.runtime import ComputationState
from durango._words import timestamp
from durango.attestation import MAX_FILE_BYTES, SavedAttestation, attest, parse_tabasco_key
from durango.cli.profiles import PolicyArgument
from durango.evidence import Attestation
from durango.identity import MAX_PEM_BYTES, Identity
from durango.platforms import protection
from durango.policy.facts import certificates_out_of_force
from durango.principal import Principal
from durango.rights import require_member
from durango.standing import description
from veracruz_shells.console import ADDRESS, note, read_file
from veracruz_shells.policy_files import read_policy
from veracruz_utils.address import Address
from veracruz_utils.policy import IsolationLayer, Policy, PolicyIdentity

_CommandT = TypeVar("_CommandT", bound=Callable[..., object])

_MAX_PASSWORD_BYTES: Final = 4096
_POLL_S: Final = 0.2
FILE: Final = click.Path(path_type=Path, dir_okay=False)
"""A file; `-` is standard input or output where that makes sense."""


@dataclass(frozen=True, slots=True)
class Access:
    """What it takes to find the isolate of a policy and to believe it.

    Attributes:
        policy: the principal's own copy.
        tabasco_key: DER, for policies that name none.
        sinaloa: where the bridge is, if not where the policy says.
        tabasco: where the attestation service is, if not where the policy says.
        timeout_s: for each question and answer.
    """

    policy: Policy
    tabasco_key: bytes | None
    sinaloa: Address | None
    tabasco: Address | None
    timeout_s: float

    def attest(self) -> Attestation:
        """The isolate, through the gate."""
        return attest(
            self.policy,
            tabasco_key=self.tabasco_key,
            sinaloa=self.sinaloa,
            tabasco=self.tabasco,
            timeout_s=self.timeout_s,
        )


@dataclass(frozen=True, slots=True)
class Membership:
    """A principal that can connect.

    Attributes:
        access: to the isolate.
        identity: one of the policy's.
        saved: an attestation file to use instead of asking afresh.
    """

    access: Access
    identity: Identity
    saved: Path | None

    @property
    def member(self) -> PolicyIdentity:
        """Which of the policy's principals this is; refused here when none."""
        return require_member(self.access.policy, self.identity)

    def connect(self) -> tuple[Principal, Attestation]:
        """A session, and the attestation that it relies on, which is noted on standard error."""
        require_member(self.access.policy, self.identity)
        attestation = self._attested()
        note(
            f"attested isolate {attestation.certificate_digest.short} on {attestation.platform}, "
            f"{protection(attestation.platform)}"
        )
        for ended in certificates_out_of_force(self.access.policy, at=datetime.now(UTC)):
            note(f"warning: {ended}")
        principal = Principal.connect(
            self.access.policy,
            self.identity,
            attestation,
            sinaloa=self.access.sinaloa,
            timeout_s=self.access.timeout_s,
            notice=note,
        )
        return principal, attestation

    def _attested(self) -> Attestation:
        if self.saved is None:
            return self.access.attest()
        return load_attestation(self.saved).verify(
            self.access.policy, tabasco_key=self.access.tabasco_key, at=datetime.now(UTC)
        )


tabasco_key_option = click.option(
    "--tabasco-key",
    type=FILE,
    envvar="DURANGO_TABASCO_KEY",
    help="Tabasco's public result key (PEM), for a policy that names none.",
)
_WHERE: Final = (
    tabasco_key_option,
    click.option(
        "--sinaloa",
        type=ADDRESS,
        envvar="DURANGO_SINALOA",
        help="Where the bridge is, if not where the policy says.",
    ),
    click.option(
        "--tabasco",
        type=ADDRESS,
        envvar="DURANGO_TABASCO",
        help="Where the attestation service is, if not where the policy says.",
    ),
    click.option(
        "--timeout",
        type=click.FloatRange(0.001, 86400),
        default=60.0,
        show_default=True,
        metavar="SECONDS",
        envvar="DURANGO_TIMEOUT",
        help="How long to wait for an answer, not counting the program's run time, and for a "
        "connection that broke to come back.",
    ),
)
key_password_option = click.option(
    "--key-password",
    type=FILE,
    envvar="DURANGO_KEY_PASSWORD",
    help="A file whose first line is the password of an encrypted key.  [default: it is asked for]",
)
_WHO: Final = (
    click.option(
        "--certificate",
        type=FILE,
        required=True,
        envvar="DURANGO_CERTIFICATE",
        help="Your certificate (PEM).",
    ),
    click.option(
        "--key", type=FILE, required=True, envvar="DURANGO_KEY", help="Your private key (PEM)."
    ),
    key_password_option,
    click.option(
        "--attestation",
        type=FILE,
        envvar="DURANGO_ATTESTATION",
        help="Use this file of `durango attest`, which is checked anew, instead of attesting now.",
    ),
)
policy_argument = click.argument("policy", type=FILE, cls=PolicyArgument, is_eager=True)
wait_option = click.option(
    "--wait",
    type=click.FloatRange(0, 7 * 86400),
    default=0.0,
    metavar="SECONDS",
    help="How long to wait until the other principals have done their part.",
)
releases_option = click.option(
    "--config",
    type=click.Path(path_type=Path, file_okay=False),
    default=lambda: click.get_app_dir("durango"),
    show_default="~/.config/durango",
    envvar="DURANGO_CONFIG",
    help="The folder with the releases that you know and the release keys that you trust.",
)
"""Adds `--config`, passed as `config: Path`."""
force_option = click.option("--force", is_flag=True, help="Overwrite an existing file.")


def access_options(command: _CommandT) -> Callable[..., object]:
    """Adds the argument POLICY and where to find whom; passed as `access`."""

    @functools.wraps(command)
    def run(
        *,
        policy: Path,
        tabasco_key: Path | None,
        sinaloa: Address | None,
        tabasco: Address | None,
        timeout: float,
        **others: object,
    ) -> object:
        if str(policy) == "-":
            raise click.UsageError("the policy is a file here: standard input may be the content")
        key = load_tabasco_key(tabasco_key)
        access = Access(read_policy(policy, at=None), key, sinaloa, tabasco, timeout)
        return command(access=access, **others)

    return _with_options(run, (policy_argument, *_WHERE))


def membership_options(command: _CommandT) -> Callable[..., object]:
    """Adds what `access_options` does, and who one is; passed as `membership`."""

    @access_options
    @functools.wraps(command)
    def with_access(
        *, access: Access, identity: Identity, attestation: Path | None, **others: object
    ) -> object:
        return command(membership=Membership(access, identity, attestation), **others)

    @functools.wraps(with_access)
    def run(*, certificate: Path, key: Path, key_password: Path | None, **others: object) -> object:
        identity = load_identity(certificate, key, key_password)
        return with_access(identity=identity, **others)

    return _with_options(run, _WHO)


def wait_for(
    principal: Principal, policy: Policy, states: tuple[ComputationState, ...], wait_s: float
) -> None:
    """Give the others `wait_s` seconds for what is theirs to do; each change of it is told.

    Args:
        principal: who waits.
        policy: what the isolate holds.
        states: one of these is waited for, and all consents that the policy asks for.
        wait_s: how long; not at all if it is 0.
    """
    deadline = time.monotonic() + wait_s
    told = None
    while wait_s:
        found = principal.state()
        there = found.state in states and not found.consent_awaited
        if there or found.state is ComputationState.ERROR or time.monotonic() >= deadline:
            return
        words = description(found, policy)
        if words != told:
            note(f"{words} (for up to {deadline - time.monotonic():.0f} s)")
            told = words
        time.sleep(min(_POLL_S, wait_s))


def load_tabasco_key(path: Path | None) -> bytes | None:
    """The key in a file, as DER; None without one."""
    if path is None:
        return None
    pem = read_file(path, limit=MAX_PEM_BYTES, what="key of Tabasco")
    return parse_tabasco_key(pem, name=str(path))


def load_identity(certificate: Path, key: Path, key_password: Path | None = None) -> Identity:
    """The identity in two files; warns of a key that others can read."""
    identity = Identity.load(certificate, key, password=password_from(key_password))
    if key.stat().st_mode & 0o077:
        note(f"warning: others on this machine may read {key}: chmod 600 {key}")
    return identity


def password_from(file: Path | None, *, new: bool = False) -> Callable[[str], bytes]:
    """What gives a password: the first line of a file, or who sits at the terminal.

    Args:
        file: the file, if there is one.
        new: nothing has this password yet, so it is asked for twice.
    """

    def password(name: str) -> bytes:
        if file is not None:
            first, *_ = read_file(file, limit=_MAX_PASSWORD_BYTES, what="password").split(b"\n")
            return first.removesuffix(b"\r")
        if not sys.stdin.isatty():
            raise click.UsageError(
                f"{name} is encrypted and there is no terminal to ask at: give --key-password FILE"
            )
        typed: str = click.prompt(
            f"password of {name}", hide_input=True, confirmation_prompt=new, err=True
        )
        return typed.encode()

    return password


def load_attestation(path: Path) -> SavedAttestation:
    """The attestation in a file, not verified yet."""
    return SavedAttestation.parse(read_file(path, limit=MAX_FILE_BYTES, what="attestation"))


def attestation_facts(attestation: Attestation) -> dict[str, object]:
    """What an attestation says, for programs; the keys are stable."""
    return {
        "platform": attestation.platform,
        "protection": protection(attestation.platform),
        "measurement": attestation.measurement.hex(),
        "runtime_version": attestation.version,
        "isolation": [layer for layer in IsolationLayer if layer in attestation.isolation],
        "certificate_digest": str(attestation.certificate_digest),
        "policy_digest": str(attestation.policy_digest),
        "instance_id": attestation.instance_id.hex(),
        "verifier": attestation.verifier,
        "issued_at": timestamp(attestation.issued_at),
        "expires_at": timestamp(attestation.expires_at),
    }


def _with_options(
    command: Callable[..., object], options: tuple[Callable[..., Any], ...]
) -> Callable[..., object]:
    for option in reversed(options):
        command = option(command)
    return command
