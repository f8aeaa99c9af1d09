"""What it takes to take part: the options of whoever connects, and what is made of them."""

import functools
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from colima.runtime import ComputationState
from durango._words import timestamp
from durango.attestation import MAX_FILE_BYTES, SavedAttestation, attest
from durango.cli.options import (
    FILE,
    certificate_option,
    key_option,
    key_password_option,
    load_identity,
    load_tabasco_key,
    policy_argument,
    tabasco_key_option,
)
from durango.evidence import Attestation
from durango.identity import Identity, require_member
from durango.platforms import protection
from durango.policy.facts import certificates_out_of_force
from durango.principal import Principal
from durango.standing import description
from veracruz_shells.console import ADDRESS, note, read_file
from veracruz_shells.policy_files import read_policy
from veracruz_utils.address import Address
from veracruz_utils.policy import IsolationLayer, Policy, PolicyIdentity

_CommandT = TypeVar("_CommandT", bound=Callable[..., object])

_POLL_S: Final = 0.2


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
attestation_option = click.option(
    "--attestation",
    type=FILE,
    envvar="DURANGO_ATTESTATION",
    help="Use this file of `durango attest`, which is checked anew, instead of attesting now.",
)
_WHO: Final = (
    certificate_option(),
    key_option(),
    key_password_option,
    attestation_option,
)
wait_option = click.option(
    "--wait",
    type=click.FloatRange(0, 7 * 86400),
    default=0.0,
    metavar="SECONDS",
    help="How long to wait until the other principals have done their part.",
)


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
