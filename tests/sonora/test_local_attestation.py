"""Sonora's challenge to an isolate: the right answer, and everything that is not one."""

import os
import signal
import socket
import time
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from colima import frame, isolate, read_frame
from mexico_city.local_attestation import LocalClaims, answer_challenge, local_transcript
from sonora.errors import LaunchError, SonoraError
from sonora.local_attestation import LinuxMeans, attest_locally
from sonora.process import ProcessHandle
from sonora.server import Sonora
from support import runtime_guests as guests
from support.isolate_rig import new_party
from support.patience import PATIENCE_S
from veracruz_utils.policy import Role

IDENTITY = new_party("runtime.veracruz")
OTHER = new_party("runtime.veracruz")
POLICY, IMAGE = b"p" * 32, b"i" * 32
CLAIMS = LocalClaims(IDENTITY.digest.value, POLICY, IMAGE)
ROOT = Path("/proc/self/root")
BY_ITS_OWN_KEY = "not over this challenge, policy and image, by its own key"


def hear(channel) -> bytes:
    """The nonce of the challenge."""
    return isolate.TO_RUNTIME.decode(read_frame(channel.recv)).nonce


def say(channel, message) -> None:
    channel.sendall(frame(isolate.FROM_RUNTIME.encode(message)))


def answer(nonce: bytes, claims=CLAIMS, identity=IDENTITY) -> isolate.LocalAnswer:
    proof = identity.private_key.sign(local_transcript(nonce, claims), ec.ECDSA(hashes.SHA256()))
    return isolate.LocalAnswer(identity.certificate, proof)


def rightly(channel) -> None:
    answer_challenge(channel, IDENTITY, POLICY, IMAGE)


@contextmanager
def played(behaviour):
    """An isolate that behaves like this, as Sonora has it: its channel and its process."""
    ours, theirs = socket.socketpair()
    LinuxMeans.prepare(ours)
    process_id = os.fork()
    if process_id == 0:
        try:
            ours.close()
            behaviour(theirs)
            time.sleep(600)  # an isolate that answered goes on
        finally:
            os._exit(1)
    theirs.close()
    handle = ProcessHandle(os.pidfd_open(process_id))
    try:
        yield ours, handle
    finally:
        os.kill(process_id, signal.SIGKILL)
        os.waitpid(process_id, 0)
        handle.close()
        ours.close()


def attest(behaviour, *, claims=CLAIMS, root=ROOT, timeout_s=PATIENCE_S) -> None:
    with played(behaviour) as (channel, process):
        attest_locally(channel, claims, LinuxMeans(process, root), timeout_s=timeout_s)


def test_the_right_answer_is_accepted():
    attest(rightly)


def test_the_answer_is_over_a_nonce_that_was_never_sent_before():
    nonces = set()
    for _ in range(3):
        reading, writing = os.pipe()
        attest(lambda channel, out=writing: (os.write(out, nonce := hear(channel)),
                                             say(channel, answer(nonce))))  # fmt: skip
        nonces.add(os.read(reading, 64))
        os.close(reading)
        os.close(writing)
    assert {len(nonce) for nonce in nonces} == {32}
    assert len(nonces) == 3


def test_a_replayed_answer_is_refused():
    earlier = answer(b"n" * 32)
    with pytest.raises(LaunchError, match=BY_ITS_OWN_KEY):
        attest(lambda channel: (hear(channel), say(channel, earlier)))


@pytest.mark.parametrize(
    "wrong",
    [
        LocalClaims(IDENTITY.digest.value, b"q" * 32, IMAGE),
        LocalClaims(IDENTITY.digest.value, POLICY, b"j" * 32),
        LocalClaims(OTHER.digest.value, POLICY, IMAGE),
        LocalClaims(IDENTITY.digest.value, IMAGE, POLICY),
    ],
    ids=["policy", "image", "certificate", "exchanged"],
)
def test_an_answer_over_other_claims_is_refused(wrong):
    with pytest.raises(LaunchError, match=BY_ITS_OWN_KEY):
        attest(lambda channel: say(channel, answer(hear(channel), wrong)))
    with pytest.raises(LaunchError, match=r"another certificate|by its own key"):
        attest(rightly, claims=wrong)


def test_another_certificate_than_was_reported_is_refused():
    with pytest.raises(LaunchError, match="another certificate than it reported"):
        attest(lambda channel: say(channel, answer(hear(channel), identity=OTHER)))


def test_a_certificate_without_its_key_is_refused():
    def without_key(channel) -> None:
        theirs = answer(hear(channel), identity=OTHER)
        say(channel, isolate.LocalAnswer(IDENTITY.certificate, theirs.proof))

    with pytest.raises(LaunchError, match=BY_ITS_OWN_KEY):
        attest(without_key)


def test_a_certificate_that_is_none_is_refused():
    digest = hashes.Hash(hashes.SHA256())
    digest.update(b"no certificate")
    claims = LocalClaims(digest.finalize(), POLICY, IMAGE)
    with pytest.raises(LaunchError, match=BY_ITS_OWN_KEY):
        attest(
            lambda channel: (
                hear(channel),
                say(channel, isolate.LocalAnswer(b"no certificate", b"")),
            ),
            claims=claims,
        )


def test_the_roles_cannot_be_exchanged():
    """What the runtime signs names it as the one who answers, to a root attester that asks."""
    transcript = local_transcript(b"n" * 32, CLAIMS)
    assert transcript.index(b"root-attester") < transcript.index(b"runtime")
    assert transcript.startswith((29).to_bytes(8) + b"veracruz-local-attestation-v1")


@pytest.mark.parametrize(
    "behaviour",
    [
        lambda channel: channel.close(),
        lambda channel: (hear(channel), channel.close()),
        lambda channel: (hear(channel), channel.sendall(b"\xff" * 64), channel.close()),
        lambda channel: (hear(channel), channel.sendall(frame(b"garbage"))),
        lambda channel: (hear(channel), say(channel, isolate.RuntimeRefused("no"))),
        lambda channel: (hear(channel), channel.sendall(frame(b""))),
    ],
)
def test_no_answer_or_something_else_is_refused(behaviour):
    with pytest.raises(LaunchError, match="did not answer Sonora's challenge"):
        attest(behaviour)


def trickle(channel) -> None:
    for byte in frame(isolate.FROM_RUNTIME.encode(answer(hear(channel)))):
        channel.sendall(bytes([byte]))
        time.sleep(0.05)


@pytest.mark.parametrize("behaviour", [hear, lambda _: None, trickle])
def test_a_late_answer_is_refused_however_its_bytes_come(behaviour):
    with pytest.raises(LaunchError, match=r"within 0.5 s"):
        attest(behaviour, timeout_s=0.5)


def from_another_process(channel) -> None:
    """The channel leaked: a child of the isolate has everything, and answers in its place."""
    if os.fork() == 0:
        rightly(channel)
        os._exit(0)


def half_from_another_process(channel) -> None:
    message = frame(isolate.FROM_RUNTIME.encode(answer(hear(channel))))
    channel.sendall(message[:10])
    if os.fork() == 0:
        channel.sendall(message[10:])
        os._exit(0)


@pytest.mark.parametrize("behaviour", [from_another_process, half_from_another_process])
def test_an_answer_that_another_process_wrote_is_refused(behaviour):
    with pytest.raises(LaunchError, match="came from another process"):
        attest(behaviour)


def test_a_process_that_ended_was_not_attested():
    """Whoever has its process id by then: the handle means nobody."""
    ours, theirs = socket.socketpair()
    LinuxMeans.prepare(ours)
    with ours, theirs:
        process_id = os.fork()
        if process_id == 0:
            rightly(theirs)
            os._exit(0)
        handle = ProcessHandle(os.pidfd_open(process_id))

        class AfterItsEnd(LinuxMeans):
            def require(self, transcript, answer):
                os.waitpid(process_id, 0)
                super().require(transcript, answer)

        with pytest.raises(LaunchError, match="came from another process"):
            attest_locally(ours, CLAIMS, AfterItsEnd(handle, ROOT))
        handle.close()


def test_an_isolate_with_another_root_than_the_image_is_refused(tmp_path):
    with pytest.raises(LaunchError, match="root is not the image"):
        attest(rightly, root=tmp_path)


def test_a_launched_isolate_has_been_attested(isolates):
    roles = [Role.PI_PROVIDER, Role.RESULT_READER]
    launched = isolates.launcher.launch(
        isolates.policy([(new_party("only"), roles)], program=guests.HELLO)
    )
    assert launched.attested
    launched.close()


def test_an_isolate_that_does_not_answer_leaves_nothing(isolates, monkeypatch):
    def refuse(*_, **__):
        raise LaunchError("the isolate did not answer Sonora's challenge in time")

    roles = [Role.PI_PROVIDER, Role.RESULT_READER]
    policy = isolates.policy([(new_party("only"), roles)], program=guests.HELLO)
    with monkeypatch.context() as patched:
        patched.setattr("sonora.linux_launcher.attest_locally", refuse)
        with pytest.raises(LaunchError, match="in time"):
            isolates.launcher.launch(policy)
    assert isolates.launcher._isolates == {}
    isolates.launcher.launch(policy).close()


def test_no_token_is_signed_for_an_isolate_that_was_not_attested():
    enrolled = SimpleNamespace(key=lambda: pytest.fail("a key was asked for"))
    sonora = Sonora(SimpleNamespace(), enrolled, version="1")
    with pytest.raises(SonoraError, match="has not answered Sonora's challenge"):
        sonora.mint(SimpleNamespace(attested=False), bytes(32))
