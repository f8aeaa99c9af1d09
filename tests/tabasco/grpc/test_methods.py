"""The service over a real gRPC server: right statuses, nothing between the lines, always there."""

import logging
import threading
from hashlib import sha256

import grpc
import pytest

import colima.tabasco as wire
from colima import decode, encode
from psa_attestation.results.ear import verify_ear
from support.enrolment import RootAttester, SoftwareRoot
from support.patience import PATIENCE_S
from support.processes import eventually
from support.silent_calls import silent_calls
from tabasco.grpc.methods import LIMITS, methods_of
from veracruz_shells.call_errors import CallError, CallStatus
from veracruz_shells.channels import is_serving, open_channel, unary
from veracruz_shells.service import GrpcService
from veracruz_utils.errors import RefusedError

PLATFORM = "linux-software-root"
CHALLENGE = sha256(b"challenge").digest()


class Client:
    """A client that sends bytes or messages."""

    def __init__(self, channel):
        self.channel = channel

    def raw(self, method, data):
        name = f"/{wire.SERVICE}/{method}"
        return unary(self.channel, name, data, timeout_s=PATIENCE_S, peer="tabasco at test")

    def __call__(self, method, request):
        return decode(
            getattr(wire, type(request).__name__.replace("Request", "Response")),
            self.raw(method, encode(request)),
        )

    def enrol(self, attester):
        begun = self("BeginEnrolment", wire.BeginEnrolmentRequest(PLATFORM))
        return self("CompleteEnrolment", attester.enrolment(begun.challenge))


@pytest.fixture
def server(service):
    with GrpcService("127.0.0.1:0", unary=methods_of(service), limits=LIMITS) as server:
        yield server


@pytest.fixture
def client(server):
    with open_channel(server.address) as channel:
        yield Client(channel)


def test_a_root_enrols_and_its_tokens_are_vouched_for(client, attester, result_key, clock):
    described = client("Describe", wire.DescribeServiceRequest())
    assert described.platforms == ("arm-cca", PLATFORM, "nitro", "sev-snp", "sgx", "tdx", "tpm")
    assert client.enrol(attester).instance_id == attester.instance_id
    answer = client("VerifyToken", wire.VerifyTokenRequest(attester.token(CHALLENGE), CHALLENGE))
    at = int(clock().timestamp())
    verify_ear(answer.attestation_result, key=result_key.public_key(), nonce=CHALLENGE, at=at)


def test_health_is_told_for_the_service(client):
    assert is_serving(client.channel)
    assert is_serving(client.channel, service=wire.SERVICE)


@pytest.mark.parametrize(
    "method", ["Describe", "BeginEnrolment", "CompleteEnrolment", "VerifyToken"]
)
@pytest.mark.parametrize("noise", [b"\xff", b"\x0a\xff", b"\x7a\x00", b"\x00" * 100])
def test_noise_is_an_invalid_argument_and_the_next_call_is_served(client, method, noise):
    with pytest.raises(CallError) as caught:
        client.raw(method, noise)
    assert caught.value.status is CallStatus.INVALID_ARGUMENT
    client("Describe", wire.DescribeServiceRequest())


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_challenge_of_the_wrong_length_is_an_invalid_argument(client, size):
    body = b"\x0a\x01x" + (b"\x12" + bytes([size]) + bytes(size) if size else b"")
    with pytest.raises(CallError, match=f"challenge has {size} bytes, not 32") as caught:
        client.raw("VerifyToken", body)
    assert caught.value.status is CallStatus.INVALID_ARGUMENT


def test_a_message_over_the_limit_is_refused_and_the_next_call_is_served(client):
    with pytest.raises(CallError) as caught:
        client.raw("CompleteEnrolment", bytes(LIMITS.message_bytes + 1))
    assert caught.value.status is CallStatus.RESOURCE_EXHAUSTED
    client("Describe", wire.DescribeServiceRequest())


def test_a_refusal_tells_its_reason_in_one_fixed_line(client, attester):
    token = attester.token(CHALLENGE)
    with pytest.raises(RefusedError) as caught:
        client("VerifyToken", wire.VerifyTokenRequest(token, CHALLENGE))
    assert str(caught.value) == (
        'tabasco at test refuses: "instance-unknown: the token\'s instance is not enrolled here"'
    )
    assert caught.value.exit_code == 3


def test_a_refusal_is_logged_with_its_reason_and_nothing_of_the_request(client, attester, caplog):
    caplog.set_level(logging.INFO, "tabasco")
    client.enrol(attester)
    caplog.clear()
    token = attester.token(bytes(32))
    with pytest.raises(RefusedError, match="token-stale"):
        client("VerifyToken", wire.VerifyTokenRequest(token, CHALLENGE))
    assert [record.getMessage() for record in caplog.records] == [
        "refused: token-stale (nonce-mismatch)"
    ]


def test_what_breaks_inside_is_internal_and_tells_nothing(client, attester, database, tmp_path):
    client.enrol(attester)
    with database.writing() as session:
        for table in ("instance_values", "instances"):
            session.connection().exec_driver_sql(f"drop table {table}")
    with pytest.raises(grpc.RpcError) as caught:
        client.channel.unary_unary(f"/{wire.SERVICE}/VerifyToken")(
            encode(wire.VerifyTokenRequest(attester.token(CHALLENGE), CHALLENGE)),
            timeout=PATIENCE_S,
        )
    assert caught.value.code() is grpc.StatusCode.INTERNAL
    assert caught.value.details() == "internal error; the service's log has more"
    client("Describe", wire.DescribeServiceRequest())


def test_a_method_that_is_not_there_is_an_error_and_the_next_call_is_served(client):
    with pytest.raises(Exception, match="UNIMPLEMENTED"):
        client.raw("Enrol", b"")
    client("Describe", wire.DescribeServiceRequest())


def test_of_concurrent_clients_with_one_challenge_exactly_one_is_enrolled(server, client, root):
    begun = client("BeginEnrolment", wire.BeginEnrolmentRequest(PLATFORM))
    requests = [RootAttester(root).enrolment(begun.challenge) for _ in range(4)]
    outcomes, ready = [], threading.Barrier(len(requests))

    def submit(request):
        with open_channel(server.address) as channel:
            ready.wait()
            try:
                Client(channel)("CompleteEnrolment", request)
                outcomes.append("enrolled")
            except RefusedError as error:
                outcomes.append("refused" if "challenge-not-live" in str(error) else str(error))

    threads = [threading.Thread(target=submit, args=(request,)) for request in requests]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["enrolled", "refused", "refused", "refused"]


def test_calls_that_say_nothing_keep_nobody_out(server, client):
    method = f"/{wire.SERVICE}/VerifyToken"
    with silent_calls(server.address, method, connections=5, each=16) as silent:
        assert eventually(lambda: any(call.done() for call in silent))
        for _ in range(5):
            client("Describe", wire.DescribeServiceRequest())
            assert is_serving(client.channel)


def test_many_clients_enrol_and_verify_side_by_side(server, root):
    failures, ready = [], threading.Barrier(8)

    def take_part():
        attester = RootAttester(root)
        with open_channel(server.address) as channel:
            client = Client(channel)
            ready.wait()
            try:
                client.enrol(attester)
                for number in range(5):
                    challenge = bytes([number]) * 32
                    request = wire.VerifyTokenRequest(attester.token(challenge), challenge)
                    client("VerifyToken", request)
            except Exception as error:  # noqa: BLE001 - shown by the assertion
                failures.append(error)

    threads = [threading.Thread(target=take_part) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_stranger_is_refused_while_others_are_served(client, attester):
    with pytest.raises(RefusedError, match="root-unknown"):
        client.enrol(RootAttester(SoftwareRoot()))
    client.enrol(attester)
