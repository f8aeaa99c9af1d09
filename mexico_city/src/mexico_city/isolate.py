"""An isolate: the front process and the guest process it forks, in this order.

    zygote ──fork──▶ lockdown ──fork──▶ guest: compiles and runs, no key
                        └─────────────▶ front: makes the key, reports to Sonora, serves

Both exist before any secret does. `run` is called in a freshly forked process and its result is
that process's exit status.
"""

import os
import resource
import socket
import time
from datetime import UTC, datetime, timedelta
from typing import Final, NoReturn

from baja import EndpointConfig, ServerContext, make_certificate
from colima import frame, isolate
from colima.isolate import IsolateExit
from mexico_city import lockdown
from mexico_city.code_exchange import CodeExchange
from mexico_city.computation import Computation
from mexico_city.errors import PolicyUnusableError
from mexico_city.front import MAX_SESSIONS, Front
from mexico_city.guest import IsolateGuest, serve
from mexico_city.guest_link import GuestLink
from mexico_city.lifetime import Lifetime
from mexico_city.local_attestation import answer_challenge
from mexico_city.runtime import Runtime
from platform_services import LinuxRandomSource
from psa_attestation.receipts.receipt import MAX_RECEIPT_INPUTS, Receipt
from psa_attestation.receipts.signing import sign_receipt
from veracruz_utils.errors import VeracruzError
from veracruz_utils.policy import RUNTIME_LAYERS, CipherSuite, Policy, TlsVersion

NAME: Final = "runtime.veracruz"
"""The DNS name in the runtime's certificate; nobody resolves it, the certificate is pinned."""
FAILED: Final = 70
"""The exit status of an isolate that failed."""
_CLOCK_SKEW: Final = timedelta(minutes=5)
"""How far a principal's clock may be behind ours."""
_OTHER_FILES: Final = 64
"""Open files besides two per session, its socket and its content, and one per input."""


def run(policy_bytes: bytes, *, measurement: bytes, control: int, private: int, parent: int) -> int:
    """Be the isolate of this policy; the exit status to leave with (`IsolateExit` or `FAILED`).

    Args:
        policy_bytes: the policy, as it was given to Sonora.
        measurement: of the image that this process runs from.
        control: the descriptor on which the bridge hands over sessions.
        private: the descriptor of the channel to Sonora.
        parent: the process id of the zygote.
    """
    lockdown.enter(keep={control, private}, parent=parent)
    sonora = socket.socket(fileno=private)
    try:
        policy = Policy.parse(policy_bytes, at=datetime.now(UTC))
        _require_means(policy)
        # Before `_serve` makes the key: a program that takes its guest over must not find it there.
        guest = _fork_guest(policy)
    except VeracruzError as error:
        return _refuse(sonora, error)
    try:
        return _serve(policy, guest, measurement, control=control, private=sonora)
    finally:
        guest.kill()  # and reap it: who inherits it may leave a zombie in the process table


def _serve(
    policy: Policy, guest: GuestLink, measurement: bytes, *, control: int, private: socket.socket
) -> int:
    try:
        # A fresh key that never leaves this process; the certificate is what gets attested.
        identity = make_certificate(
            name=NAME, not_before=datetime.now(UTC) - _CLOCK_SKEW, not_after=policy.expires_at
        )
        config = EndpointConfig(policy.ciphersuite, identity.private_key, identity.certificate)
        context = ServerContext(config, accepted=[each.certificate for each in policy.identities])
    except VeracruzError as error:
        return _refuse(private, error)

    def sign(receipt: Receipt) -> bytes:
        return sign_receipt(receipt, identity.private_key, identity.certificate)

    code = CodeExchange(policy, private)
    runtime = Runtime(Computation(policy, LinuxRandomSource()), guest, code, sign)
    lifetime = Lifetime(policy, wall=datetime.now(UTC), now=time.monotonic())
    front = Front(
        runtime, context, lifetime, control=socket.socket(fileno=control), private=private
    )
    layers = tuple(sorted(RUNTIME_LAYERS))  # `lockdown.enter` raises where one is not in force
    ready = isolate.RuntimeReady(identity.digest.value, policy.digest.value, code.name, layers)
    private.sendall(frame(isolate.FROM_RUNTIME.encode(ready)))
    try:
        answer_challenge(private, identity, policy.digest.value, measurement)
        code.receive_offer()
    except VeracruzError:
        return IsolateExit.SONORA_GONE
    return front.run()


def _refuse(sonora: socket.socket, error: VeracruzError) -> int:
    refused = isolate.RuntimeRefused(str(error)[:500])
    sonora.sendall(frame(isolate.FROM_RUNTIME.encode(refused)))
    return FAILED


def _require_means(policy: Policy) -> None:
    """Refuse a policy that would fail at its end: more inputs than a receipt or this process holds.

    Raises:
        PolicyUnusableError: it is such a policy.
    """
    inputs = len(policy.data_provision_order) + len(policy.streaming_order)
    if inputs > MAX_RECEIPT_INPUTS:
        raise PolicyUnusableError(
            f"the policy orders {inputs} inputs a round, a receipt lists {MAX_RECEIPT_INPUTS}"
        )
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = inputs + 2 * MAX_SESSIONS + _OTHER_FILES
    if needed > files:
        raise PolicyUnusableError(
            f"the policy needs {needed} open files, an isolate may have {files}: "
            "start sonora with a higher limit (ulimit -n)"
        )


def _fork_guest(policy: Policy) -> GuestLink:
    ours, theirs = socket.socketpair()
    front = os.getpid()
    process_id = os.fork()
    if process_id == 0:
        _be_guest(policy, theirs, front)
    theirs.close()
    return GuestLink(ours, process_id, policy.limits)


def _be_guest(policy: Policy, channel: socket.socket, front: int) -> NoReturn:
    status = FAILED
    try:
        lockdown.enter(keep={channel.fileno()}, parent=front)
        lockdown.mute_libraries()
        lockdown.bound_memory(policy.limits)
        serve(channel, IsolateGuest(policy, LinuxRandomSource()), isolate.FROM_GUEST.encode)
        status = 0
    except BaseException as error:  # noqa: BLE001 - nothing of a guest's failure may be printed
        lockdown.report_failure("guest", type(error))
    lockdown.end(status)


def warm_up() -> None:
    """Load all that the start of an isolate loads, by making and forgetting a key."""
    now = datetime.now(UTC)
    identity = make_certificate(name=NAME, not_before=now, not_after=now + _CLOCK_SKEW)
    suite = CipherSuite("", TlsVersion.TLS_1_3, "TLS_AES_256_GCM_SHA384")
    ServerContext(
        EndpointConfig(suite, identity.private_key, identity.certificate), accepted=[]
    ).endpoint(now=now)
