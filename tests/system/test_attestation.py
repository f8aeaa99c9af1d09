"""Attestation from end to end: what a principal believes, and whom it does not.

The bridge is not to be trusted: here it is played by a stand-in that answers with whatever tokens
it could get hold of.
"""

import secrets
from collections.abc import Callable
from contextlib import contextmanager
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import colima
from colima import sinaloa as wire
from colima.runtime import ComputationState
from durango import GateCheck, GateError, SavedAttestation, judge
from durango.gate import CLOCK_LEEWAY_S
from jalisco import WrongIsolateError
from psa_attestation.tokens.runtime import mint_runtime_token
from sonora.evidence.software import SoftwareRoot
from support.patience import PATIENCE_S
from support.runtime_guests import HELLO, RANDOM
from support.stack import PI, RESULT, Computation, run, runtime_layers_here
from veracruz import Service
from veracruz_shells.channels import open_channel, unary
from veracruz_shells.service import GrpcService
from veracruz_utils.address import Address
from veracruz_utils.errors import RefusedError
from veracruz_utils.policy import LINUX_SOFTWARE, IsolationLayer, PolicyFormat

Forge = Callable[[bytes], bytes]
"""A bridge's answer to a challenge."""


@pytest.fixture(scope="module")
def computation(stack):
    """A computation to attest, again and again."""
    with stack.computation([PI, RESULT], program=HELLO) as computation:
        yield computation


@pytest.fixture(scope="module")
def other(stack):
    """Another one, for another program: as genuine, and not the one that is asked for."""
    with stack.computation([PI, RESULT], program=RANDOM) as other:
        yield other


def token_from(computation: Computation, challenge: bytes) -> bytes:
    """What anybody can get: a genuine token over a challenge of one's own."""
    with open_channel(str(computation.address)) as channel:
        answer = unary(
            channel,
            f"/{wire.SERVICE}/Attest",
            colima.encode(wire.AttestRequest(challenge)),
            timeout_s=PATIENCE_S,
            peer="sinaloa",
        )
    return colima.decode(wire.AttestResponse, answer).token


@contextmanager
def bridge_that(forges: Forge):
    """Where a stand-in for the bridge listens."""

    def attest(request: bytes) -> bytes:
        challenge = colima.decode(wire.AttestRequest, request).challenge
        return colima.encode(wire.AttestResponse(forges(challenge)))

    with GrpcService("127.0.0.1:0", unary={f"/{wire.SERVICE}/Attest": attest}) as service:
        yield Address.parse(service.address)


def test_a_principal_is_told_what_was_checked_against_what(computation, stack):
    told = computation.durango("attest").done().out
    for words in (
        "against my challenge",
        "against Tabasco's key",
        "linux-software-root, a software root of trust: it protects nothing against the owner",
        stack.measurement.hex(),
        "against SHA-256 of my policy file",
        "secured",
        "the only certificate TLS accepts",
    ):
        assert words in told
    facts = computation.durango("attest", "--json").done().json
    assert facts["platform"] == LINUX_SOFTWARE
    assert facts["measurement"] == stack.measurement.hex()
    assert facts["policy_digest"] == str(computation.policy.digest)
    formal = {GateCheck.RESULT_FORM, GateCheck.TOKEN_FORM}  # told when they fail alone
    pinned = {GateCheck.MACHINE}  # by no policy of the software root
    assert {check["check"] for check in facts["checks"]} == set(GateCheck) - formal - pinned
    assert [link["link"] for link in facts["chain"]] == [
        "hardware root", "machine", "Sonora's key", "runtime image", "isolate"
    ]  # fmt: skip
    assert facts["machine"] == {}


def test_what_was_attested_is_what_is_talked_to(computation):
    attestation = computation.attest()
    with computation.connect(0, attestation) as principal:
        assert principal.policy_digest() == attestation.policy_digest
        assert principal.state().state is ComputationState.INITIAL


def test_attestations_one_after_the_other_are_about_one_isolate(computation):
    found = [computation.attest() for _ in range(30)]
    assert len({each.certificate_digest for each in found}) == 1
    assert len({each.instance_id for each in found}) == 1
    assert len({each.evidence.challenge for each in found}) == 30


@pytest.fixture
def twin(stack, computation):
    """Another isolate of the same policy, which only another Sonora launches."""
    sonora = stack.start_sonora("twin.sock")
    sonora.wait_ready()
    raw, parties = computation.policy.raw, computation.parties
    with stack.serving(raw, parties, HELLO, sonora=sonora) as twin:
        yield twin
    sonora.stop()


def test_two_isolates_of_one_policy_have_certificates_of_their_own(computation, twin):
    one, two = computation.attest(), twin.attest()
    assert one.policy_digest == two.policy_digest
    assert one.certificate_digest != two.certificate_digest


# A bridge that lies.


def test_a_token_that_answered_another_challenge_is_refused(computation):
    old = token_from(computation, secrets.token_bytes(32))
    with bridge_that(lambda _: old) as bridge:
        asked = run("durango", "attest", computation.policy_file, "--sinaloa", bridge)
        asked.refused(3, "refuses", "token-stale", "the token answers another challenge")


def test_an_old_token_with_its_old_result_answers_no_challenge_of_today(computation):
    challenge = secrets.token_bytes(32)
    attestation = computation.attest()
    evidence = attestation.evidence
    replayed = type(evidence)(challenge, evidence.token, evidence.result)
    with pytest.raises(GateError) as caught:
        judge(
            replayed,
            computation.policy,
            tabasco_key=computation.policy.tabasco_key,
            at=attestation.issued_at,
        )
    assert caught.value.check is GateCheck.RESULT_CHALLENGE


def test_the_token_of_an_isolate_with_another_policy_is_refused(computation, other):
    with bridge_that(lambda challenge: token_from(other, challenge)) as bridge:
        asked = run("durango", "attest", computation.policy_file, "--sinaloa", bridge)
    asked.refused(
        3,
        "attestation refused at policy",
        f"found {other.policy.digest}, expected {computation.policy.digest}",
        "use the very file that the delegate's bridge was started with",
    )


def test_the_token_of_another_isolate_of_the_policy_leads_to_no_session(computation, twin):
    with bridge_that(lambda challenge: token_from(twin, challenge)) as bridge:
        attestation = computation.attest(via=bridge)
    refusal = pytest.raises(WrongIsolateError, match="attest again")
    with refusal as caught, computation.connect(0, attestation):
        pass
    assert str(attestation.certificate_digest) in str(caught.value)
    assert caught.value.exit_code == 3


def test_a_token_by_a_key_that_is_not_enrolled_is_refused(computation, stack):
    key = ec.generate_private_key(ec.SECP256R1())

    def forge(challenge: bytes) -> bytes:
        return mint_runtime_token(
            key=key,
            challenge=challenge,
            platform=LINUX_SOFTWARE,
            runtime_measurement=stack.measurement,
            runtime_version="0.1.0",
            certificate_digest=bytes(32),
            policy_digest=computation.policy.digest.value,
            isolation=frozenset(),
        )

    with bridge_that(forge) as bridge:
        asked = run("durango", "attest", computation.policy_file, "--sinaloa", bridge)
    asked.refused(3, "tabasco at", "refuses", "instance-unknown")


@pytest.mark.parametrize("place", [0, 60, 200, -1])
def test_a_token_with_a_changed_bit_is_refused(computation, place):
    def forge(challenge: bytes) -> bytes:
        token = bytearray(token_from(computation, challenge))
        token[place] ^= 1
        return bytes(token)

    with bridge_that(forge) as bridge, pytest.raises(RefusedError, match=r"tabasco at .* refuses"):
        computation.attest(via=bridge)


@pytest.mark.parametrize("token", [b"", b"garbage", b"\xd2\x84" + bytes(100)])
def test_what_is_no_token_is_refused(computation, token):
    with bridge_that(lambda _: token) as bridge, pytest.raises(RefusedError, match="malformed"):
        computation.attest(via=bridge)


# A policy, a runtime, a Tabasco that are not the ones agreed on.


@pytest.mark.parametrize(
    "spoil", [lambda raw: raw + b"\n", lambda raw: raw.replace(b": ", b":  ", 1)]
)
def test_a_policy_that_differs_by_one_byte_is_another_policy(computation, spoil):
    path = computation.file(spoil(computation.policy.raw), "one-byte.json")
    asked = run("durango", "attest", path, "--sinaloa", computation.address)
    asked.refused(
        3, "attestation refused at policy", str(computation.policy.digest), "byte for byte"
    )
    asked = run("durango", "status", path, "--sinaloa", computation.address, *computation.who(0))
    asked.refused(3, "attestation refused at policy")


def test_a_runtime_that_the_policy_does_not_name_is_refused_and_announced(stack):
    agreed = b"\x5a" * 32
    with stack.computation([PI, RESULT], program=HELLO, measurement=agreed) as computation:
        assert "is not among those the policy accepts" in computation.sinaloa.last_words
        asked = computation.durango("status", client=0)
        asked.refused(
            3,
            "attestation refused at measurement",
            f"found {stack.measurement.hex()}, expected {agreed.hex()}",
            "agree on a policy that names this one",
        )


def test_a_saved_attestation_speaks_for_its_isolate_alone(computation, other):
    path = computation.folder / "attestation.cbor"
    computation.durango("attest", "--output", path).done()
    computation.durango("status", "--attestation", path, client=0).done()
    with pytest.raises(GateError, match="policy"):
        SavedAttestation.parse(path.read_bytes()).verify(
            other.policy, at=computation.attest().issued_at
        )


def test_a_tabasco_that_is_not_the_policys_is_not_believed(stack, computation, tmp_path):
    """It knows the same root, and a Sonora is enrolled with it: only its key is another."""
    state = tmp_path / "tabasco"
    root = stack.folder / "sonora" / "software-root.pub.pem"
    with Service(
        "tabasco",
        ["serve", "--state", str(state), "--listen", "127.0.0.1:0", "--trust-root", str(root)],
    ) as impostor:
        address = impostor.wait_ready()
        asked = computation.durango("attest", "--tabasco", address)
        # It does not know this Sonora; and what it knows it may not say, see the tests of the gate.
        asked.refused(3, f"tabasco at {address} refuses", "instance-unknown")


def test_a_sonora_whose_root_nobody_registered_is_not_enrolled(stack, tmp_path):
    SoftwareRoot.create(tmp_path / "sonora")
    started = run(
        "sonora", "serve", "--state", tmp_path / "sonora", "--tabasco", stack.tabasco_address
    )
    started.refused(3, "tabasco refuses to enrol this root", "root-unknown", "tabasco root add")


def test_a_policy_of_2021_needs_tabascos_key_from_elsewhere(stack):
    with stack.computation(
        [PI, RESULT], program=HELLO, policy_format=PolicyFormat.VERACRUZ_2021
    ) as computation:
        asked = run("durango", "attest", computation.policy_file, "--sinaloa", computation.address)
        asked.refused(1, "the policy names no key of Tabasco", "--tabasco-key")
        told = computation.durango("attest").done().out
        assert "software root of trust" in told


def test_an_isolate_says_which_layers_are_in_force(computation):
    assert computation.attest().isolation >= runtime_layers_here()
    assert runtime_layers_here()


def test_an_isolate_without_a_layer_that_the_policy_asks_for_is_refused(stack):
    every = frozenset(IsolationLayer)  # the bridge of these tests is the user that Sonora is
    with stack.computation([PI, RESULT], program=HELLO, isolation=every) as computation:
        asked = run("durango", "attest", computation.policy_file, "--sinaloa", computation.address)
        told = asked.refused(3, "attestation refused at isolation", "sonora doctor")
        assert "separate-user" in told.rpartition("asks for;")[2]


def test_the_software_root_is_refused_by_name_where_the_policy_asks_for_hardware(stack):
    """Nothing falls back: the bridge has no hardware to offer, so nobody talks to its isolate."""
    with stack.computation(
        [PI, RESULT], program=HELLO, platform="sev-snp", measurement=stack.measurement
    ) as computation:
        for command in ("attest", "status"):
            client = None if command == "attest" else 0
            computation.durango(command, client=client).refused(
                3,
                "attestation refused at platform",
                "found linux-software-root, a software root of trust",
                "expected sev-snp, which my policy names",
            )


def test_a_result_signed_by_another_key_than_the_pinned_one_is_refused(stack, tmp_path):
    path, key = tmp_path / "another.pem", ec.generate_private_key(ec.SECP256R1())
    path.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    with stack.computation(
        [PI, RESULT], program=HELLO, policy_format=PolicyFormat.VERACRUZ_2021
    ) as computation:
        asked = run(
            "durango", "attest", computation.policy_file,
            "--sinaloa", computation.address, "--tabasco-key", path,
        )  # fmt: skip
    asked.refused(3, "key")


def test_an_attestation_is_good_until_its_result_expires(computation):
    attestation = computation.attest()
    evidence, policy = attestation.evidence, computation.policy

    def judged(seconds: int):
        at = attestation.expires_at + timedelta(seconds=seconds)
        return judge(evidence, policy, tabasco_key=policy.tabasco_key, at=at)

    assert judged(-1).certificate_digest == attestation.certificate_digest
    with pytest.raises(GateError) as caught:
        judged(CLOCK_LEEWAY_S + 1)
    assert caught.value.check is GateCheck.RESULT_TIME


def test_a_revoked_instance_is_not_vouched_for_any_more(stack, computation):
    sonora = stack.start_sonora("revoked.sock")
    sonora.wait_ready()
    with stack.computation([PI, RESULT], program=HELLO, sonora=sonora) as doomed:
        instance = doomed.attest().instance_id.hex()
        state = stack.folder / "tabasco"
        run("tabasco", "instance", "revoke", instance, "--state", state).done()
        doomed.durango("attest").refused(3, "refuses", "instance-revoked")
        computation.durango("attest").done()
    assert sonora.stop() == 0
