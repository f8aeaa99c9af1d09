"""What it takes to take part: the options of whoever connects, and what is made of them."""

import functools
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

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
from veracruz_shells.console import ADDRESS, SecondsRange, note, progress
from veracruz_shells.policy_files import read_policy
from veracruz_shells.tls_files import ClientFiles, client_files
from veracruz_utils.address import Address
from veracruz_utils.frozen import frozen
from veracruz_utils.policy import Policy, PolicyError, PolicyIdentity

if TYPE_CHECKING:
    # Loaded when it comes to it: gRPC to ask, TLS to connect.
    from durango.principal import Principal

_CommandT = TypeVar("_CommandT", bound=Callable[..., object])

_POLL_S: Final = 0.2


@frozen
class Access:
    """What it takes to find the isolate of a policy and to believe it.

    Attributes:
        policy: the principal's own copy.
        tabasco_key: DER, for policies that name none.
        sinaloa: where the bridge is, if not where the policy says.
        tabasco: where the attestation service is, if not where the policy says.
        timeout_s: for each question and answer.
        file: where that copy is.
        tabasco_tls: how to speak TLS with the attestation service; None for plain text.
    """

    policy: Policy
    tabasco_key: bytes | None
    sinaloa: Address | None
    tabasco: Address | None
    timeout_s: float
    file: Path
    tabasco_tls: ClientFiles | None = None

    def require_in_force(self) -> None:
        """Refuse a policy whose time is over, by the name of its file.

        Raises:
            PolicyError: it is.
        """
        try:
            self.policy.require_in_force(datetime.now(UTC))
        except PolicyError as error:
            raise error.in_file(str(self.file)) from None

    def attest(self) -> Attestation:
        """The isolate, through the gate."""
        from durango.attestation import attest  # noqa: PLC0415
        from durango.cli.at_hand import difference_told  # noqa: PLC0415

        with difference_told(self.policy, self.file), progress("asking for an attestation"):
            return attest(
                self.policy,
                tabasco_key=self.tabasco_key,
                sinaloa=self.sinaloa,
                tabasco=self.tabasco,
                tabasco_tls=self.tabasco_tls,
                timeout_s=self.timeout_s,
            )


@frozen
class Membership:
    """A principal that can connect.

    Attributes:
        access: to the isolate.
        identity: one of the policy's.
        saved: an attestation file to use instead of asking afresh.
        transport: how the session's bytes get to the bridge: auto, grpc or tcp.
        bulk: where the bridge's port for bulk is, if not where the bridge says.
    """

    access: Access
    identity: Identity
    saved: Path | None
    transport: str = "auto"
    bulk: Address | None = None

    @property
    def member(self) -> PolicyIdentity:
        """Which of the policy's principals this is; refused here when none."""
        return require_member(self.access.policy, self.identity)

    def connect(self) -> "tuple[Principal, Attestation]":
        """A session, and the attestation that it relies on, which is noted on standard error."""
        require_member(self.access.policy, self.identity)
        attestation = self._attested()
        note(
            f"attested isolate {attestation.certificate_digest.short} on {attestation.platform}, "
            f"{protection(attestation.platform)}"
        )
        for ended in certificates_out_of_force(self.access.policy, at=datetime.now(UTC)):
            note(f"warning: {ended}")
        from durango.principal import Principal  # noqa: PLC0415
        from durango.ways import TransportKind  # noqa: PLC0415

        principal = Principal.connect(
            self.access.policy,
            self.identity,
            attestation,
            sinaloa=self.access.sinaloa,
            transport=TransportKind(self.transport),
            bulk=self.bulk,
            timeout_s=self.access.timeout_s,
            notice=note,
        )
        return principal, attestation

    def _attested(self) -> Attestation:
        if self.saved is None:
            return self.access.attest()
        from durango.cli.attested import load_attestation  # noqa: PLC0415

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
        "--tabasco-ca",
        type=FILE,
        envvar="DURANGO_TABASCO_CA",
        help="Speak TLS with the attestation service, whose certificate comes from these "
        "authorities (PEM).",
    ),
    click.option(
        "--tabasco-client-certificate",
        type=FILE,
        envvar="DURANGO_TABASCO_CLIENT_CERTIFICATE",
        help="Certificate chain (PEM) to show to the attestation service, if it asks for one.",
    ),
    click.option(
        "--tabasco-client-key",
        type=FILE,
        envvar="DURANGO_TABASCO_CLIENT_KEY",
        help="That certificate's private key.",
    ),
    click.option(
        "--timeout",
        type=SecondsRange(0.001, 86400),
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
    click.option(
        "--transport",
        type=click.Choice(["auto", "grpc", "tcp"]),
        default="auto",
        show_default=True,
        envvar="DURANGO_TRANSPORT",
        help="How sessions get to the bridge: over gRPC, or over bare TCP, which takes less "
        "processor time; auto takes TCP where the bridge says it can.",
    ),
    click.option(
        "--bulk",
        type=ADDRESS,
        envvar="DURANGO_BULK",
        help="Where the bridge takes sessions over bare TCP, if not where it says.",
    ),
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
        tabasco_ca: Path | None,
        tabasco_client_certificate: Path | None,
        tabasco_client_key: Path | None,
        timeout: float,
        **others: object,
    ) -> object:
        tls = client_files(tabasco_ca, tabasco_client_certificate, tabasco_client_key)
        if str(policy) == "-":
            raise click.UsageError("the policy is a file here: standard input may be the content")
        key = load_tabasco_key(tabasco_key)
        access = Access(read_policy(policy), key, sinaloa, tabasco, timeout, policy, tls)
        return command(access=access, **others)

    return _with_options(run, (policy_argument, *_WHERE))


def membership_options(command: _CommandT) -> Callable[..., object]:
    """Adds what `access_options` does, and who one is; passed as `membership`."""

    @access_options
    @functools.wraps(command)
    def with_access(
        *,
        access: Access,
        identity: Identity,
        attestation: Path | None,
        transport: str,
        bulk: Address | None,
        **others: object,
    ) -> object:
        membership = Membership(access, identity, attestation, transport, bulk)
        return command(membership=membership, **others)

    @functools.wraps(with_access)
    def run(*, certificate: Path, key: Path, key_password: Path | None, **others: object) -> object:
        identity = load_identity(certificate, key, key_password)
        return with_access(identity=identity, **others)

    return _with_options(run, _WHO)


def _with_options(
    command: Callable[..., object], options: tuple[Callable[..., Any], ...]
) -> Callable[..., object]:
    for option in reversed(options):
        command = option(command)
    return command
