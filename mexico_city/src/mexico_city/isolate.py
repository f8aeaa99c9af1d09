"""An isolate: the front process, the keeper it forks and the guest which that forks, in this order.

    zygote ──fork──▶ sandbox ──fork──▶ keeper: forks guests ──fork──▶ guest: compiles and runs
                        └────────────▶ front: makes the key, reports to Sonora, serves

All exist before any secret does, and later guests come from a process without any (`keeper`). `run`
is called in a freshly forked process and its result is that process's exit status.
"""

import contextlib
import os
import resource
import signal
import socket
import time
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final, NoReturn

from baja import EndpointConfig, ServerContext, make_certificate
from baja.randomness import reseed
from colima import frame, isolate
from colima.isolate import IsolateExit, sessions_of_isolate
from execution_engine import strategy
from mexico_city.code_exchange import MAX_CODE_BYTES, CodeExchange
from mexico_city.computation import Computation
from mexico_city.errors import PolicyUnusableError, RuntimeFailure
from mexico_city.front import Front
from mexico_city.guest import IsolateGuest, say_and_wait, serve
from mexico_city.guest_link import GuestLink
from mexico_city.keeper import WALLED_IN, Keeper, KeeperLostError, keep_guests
from mexico_city.lifetime import Lifetime
from mexico_city.local_attestation import answer_challenge
from mexico_city.receipts import ReceiptBook
from mexico_city.runtime import Runtime
from mexico_city.sandbox import entry, failures, limits
from platform_services import LinuxRandomSource
from psa_attestation.receipts.receipt import MAX_RECEIPT_INPUTS, SALT_BYTES, Receipt
from psa_attestation.receipts.signing import SignedReceipt, sign_receipt
from veracruz_utils.errors import VeracruzError
from veracruz_utils.policy import (
    CipherSuite,
    IsolationLayer,
    Policy,
    PolicyError,
    Strategy,
    TlsVersion,
)

NAME: Final = "runtime.veracruz"
"""The DNS name in the runtime's certificate; nobody resolves it, the certificate is pinned."""
FAILED: Final = 70
"""The exit status of an isolate that failed."""
_PIECES_BYTES: Final = 4 * 1024 * 1024
"""More than the pieces of content, in all their forms, that are in the front's memory at once."""
_CLOCK_SKEW: Final = timedelta(minutes=5)
"""How far a principal's clock may be behind ours."""
_OTHER_FILES: Final = 64
"""Open files besides two per session, its socket and its content, and two per input.

Each place may have a package, and an upload instead of it that broke off and is kept.
"""


def run(policy_bytes: bytes, *, measurement: bytes, control: int, private: int, parent: int) -> int:
    """Be the isolate of this policy; the exit status to leave with (`IsolateExit` or `FAILED`).

    Args:
        policy_bytes: the policy, as it was given to Sonora.
        measurement: of the image that this process runs from.
        control: the descriptor on which the bridge hands over sessions.
        private: the descriptor of the channel to Sonora.
        parent: the process id of the zygote.
    """
    layers = entry.enter(keep={control, private}, parent=parent)
    # Before `_serve` makes the key: a program that takes its guest over must not find it there.
    # Before the policy is looked at, too: that is done within the final walls, where nothing forks.
    keeper = _fork_keeper(policy_bytes)
    layers |= entry.enter_front()
    sonora = socket.socket(fileno=private)
    try:
        try:
            policy = Policy.parse(policy_bytes, at=None)
            policy.require_in_force(datetime.now(UTC))
            _bound_front(policy)
            # Now, and not before: it enters its walls at the same time. The keeper has entered its
            # own by then. The front makes no key before, and reports no layer.
            channel = keeper.guest_channel()
            if channel.recv(1) != WALLED_IN:
                raise RuntimeFailure("the guest process ended before it was walled in")
        except KeeperLostError:
            return _refuse(sonora, RuntimeFailure("there is no process that keeps guests"))
        except VeracruzError as error:
            return _refuse(sonora, error)
        guest = GuestLink(keeper, channel, policy.limits, debug=policy.debug)
        return _serve(policy, guest, measurement, layers, control=control, private=sonora)
    finally:
        keeper.close()


def _serve(
    policy: Policy,
    guest: GuestLink,
    measurement: bytes,
    layers: Collection[IsolationLayer],
    *,
    control: int,
    private: socket.socket,
) -> int:
    # The zygote, other isolates and our guest have a copy of the generator's state.
    reseed()
    try:
        # A fresh key that never leaves this process; the certificate is what gets attested.
        identity = make_certificate(
            name=NAME, not_before=datetime.now(UTC) - _CLOCK_SKEW, not_after=policy.expires_at
        )
        config = EndpointConfig(policy.ciphersuite, identity.private_key, identity.certificate)
        context = ServerContext(config, accepted=[each.certificate for each in policy.identities])
    except VeracruzError as error:
        return _refuse(private, error)

    random = LinuxRandomSource()

    def sign(receipt: Receipt) -> SignedReceipt:
        salt = random.fill(SALT_BYTES)
        return sign_receipt(receipt, identity.private_key, identity.certificate, salt=salt)

    code = CodeExchange(policy, private)
    receipts = ReceiptBook(policy, sign, measurement=measurement, layers=layers)
    runtime = Runtime(Computation(policy, random), guest, code, receipts)
    lifetime = Lifetime(policy, wall=datetime.now(UTC), now=time.monotonic())
    front = Front(
        runtime, context, lifetime, control=socket.socket(fileno=control), private=private
    )
    ready = isolate.RuntimeReady(
        identity.digest.value,
        policy.digest.value,
        code.name,
        tuple(sorted(layers)),
        code.engine_name,
    )
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


def _bound_front(policy: Policy) -> None:
    """Give up what the front needs for no session and no input of this policy.

    Raises:
        PolicyUnusableError: it would fail at its end, by more inputs than a receipt or this process
            holds.
    """
    inputs = _inputs(policy)
    if inputs > MAX_RECEIPT_INPUTS:
        raise PolicyUnusableError(
            f"the policy orders {inputs} inputs a round, a receipt lists {MAX_RECEIPT_INPUTS}"
        )
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    sessions = sessions_of_isolate(len(policy.identities))
    needed = 2 * (inputs + sessions) + _OTHER_FILES
    if needed > files:
        raise PolicyUnusableError(
            f"the policy needs {needed} open files, an isolate may have {files}: "
            "start sonora with a higher limit (ulimit -n)"
        )
    given = policy.limits
    largest = max(given.program_bytes, given.input_bytes, given.output_bytes, MAX_CODE_BYTES)
    limits.bound_files(files=needed, file_bytes=largest)
    limits.bound_front_memory()
    limits.bound_addresses(mapped_bytes=MAX_CODE_BYTES)


def _inputs(policy: Policy) -> int:
    return len(policy.data_provision_order) + len(policy.streaming_order)


def _fork_keeper(policy_bytes: bytes) -> Keeper:
    """The keeper process, which has been asked for a guest."""
    ours, theirs = socket.socketpair()
    front = os.getpid()
    # So that the kernel does away with the keeper when it has ended: the front waits for nobody.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    if os.fork() == 0:
        _be_keeper(policy_bytes, theirs, front)
    theirs.close()
    keeper = Keeper(ours)
    with contextlib.suppress(KeeperLostError):  # whoever waits for the guest is told
        keeper.ask_for_guest()
    return keeper


def _be_keeper(policy_bytes: bytes, channel: socket.socket, front: int) -> NoReturn:
    status = FAILED
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        entry.enter_keeper(keep={channel.fileno()}, parent=front)
        keep_guests(channel, partial(_be_guest, policy_bytes))
        status = 0
    except BaseException as error:  # noqa: BLE001 - as of a guest
        failures.report("keeper", type(error))
    failures.end(status)


def _be_guest(policy_bytes: bytes, channel: socket.socket, keeper: int) -> NoReturn:
    status = FAILED
    try:
        entry.enter_guest(keep={channel.fileno()}, parent=keeper)
        channel.sendall(WALLED_IN)
        # The rest while the front makes its key.
        policy = Policy.parse(policy_bytes, at=None)
        largest = max(policy.limits.output_bytes, MAX_CODE_BYTES)
        # Each input is open twice while it is mapped.
        limits.bound_files(files=2 * _inputs(policy) + _OTHER_FILES, file_bytes=largest)
        limits.bound_memory(policy.limits)
        limits.bound_addresses(mapped_bytes=_inputs(policy) * policy.limits.input_bytes)
        settle = _settle
        if policy.strategy is Strategy.INTERPRETATION:
            entry.settle_guest()  # at once: nothing of the program's is ever machine code
            settle = limits.allow_run_memory

        def last_word(answer: isolate.FromGuest) -> NoReturn:
            say_and_wait(channel, isolate.FROM_GUEST.encode(answer))

        guest = IsolateGuest(policy, LinuxRandomSource(), compiled=settle, last_word=last_word)
        serve(channel, guest, isolate.FROM_GUEST.encode)
        status = 0
    except PolicyError:
        pass  # the front refuses it, and says why
    except BaseException as error:  # noqa: BLE001 - nothing of a guest's failure may be printed
        failures.report("guest", type(error))
    failures.end(status)


def _settle() -> None:
    limits.allow_run_memory()
    entry.settle_guest()


def warm_up() -> None:
    """Load and reserve what an isolate needs and may not get later; makes and forgets a key."""
    strategy.warm_up()
    # The C library keeps what is freed up to twice the largest block that was (mallopt(3),
    # M_MMAP_THRESHOLD), and else has the system make the memory of each piece anew.
    _ = bytes(_PIECES_BYTES)
    now = datetime.now(UTC)
    identity = make_certificate(name=NAME, not_before=now, not_after=now + _CLOCK_SKEW)
    suite = CipherSuite("", TlsVersion.TLS_1_3, "TLS_AES_256_GCM_SHA384")
    ServerContext(
        EndpointConfig(suite, identity.private_key, identity.certificate), accepted=[]
    ).endpoint(now=now)
