"""Real services on loopback, real clients, real signals."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack

import grpc
import pytest

from support.patience import PATIENCE_S
from support.processes import eventually
from support.relay import relay
from support.silent_calls import silent_calls
from veracruz_shells import service as service_module
from veracruz_shells.call_errors import CallError, CallStatus, error_of_call
from veracruz_shells.channels import is_serving, open_channel, unary
from veracruz_shells.service import GrpcService, ServiceLimits
from veracruz_utils.address import Address
from veracruz_utils.errors import RefusedError, UnreachableError, VeracruzError

NAME = "example.v1.Example"
LONG = "x" * 10_000 + "\n"


def fail(error: Exception):
    def method(request: bytes) -> bytes:
        raise error

    return method


async def shout(stream):
    while (chunk := await stream.read()) is not None:
        await stream.write(chunk.upper())


async def fail_midway(stream):
    await stream.write(await stream.read())
    raise RefusedError("not this one")


METHODS = {
    "Echo": lambda request: request,
    "Large": lambda request: bytes(int(request)),
    "Refused": fail(RefusedError("client 7 may not")),
    "Unreachable": fail(UnreachableError("sonora went away")),
    "NotFound": fail(CallError(CallStatus.NOT_FOUND, "no such key")),
    "Failed": fail(VeracruzError("it is too late")),
    "Long": fail(VeracruzError(LONG)),
    "Bug": fail(KeyError("secret detail")),
}


def example(**limits) -> GrpcService:
    return GrpcService(
        "127.0.0.1:0",
        unary={f"/{NAME}/{name}": method for name, method in METHODS.items()},
        streams={f"/{NAME}/Shout": shout, f"/{NAME}/FailMidway": fail_midway},
        limits=ServiceLimits(**limits),
    )


@pytest.fixture(scope="module")
def service():
    with example(message_bytes=1 << 20) as running:
        yield running


@pytest.fixture
def channel(service):
    with open_channel(service.address, max_message_bytes=2 << 20) as channel:
        yield channel


def ask(channel, name: str, request: bytes = b"", timeout_s: float = PATIENCE_S) -> bytes:
    return unary(
        channel, f"/{NAME}/{name}", request, timeout_s=timeout_s, peer="example at a.test:1"
    )


def free_address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return f"127.0.0.1:{taken.getsockname()[1]}"


def test_bytes_go_there_and_back(channel):
    for request in (b"", b"hello", bytes(1_000_000)):
        assert ask(channel, "Echo", request) == request


def test_a_stream_goes_both_ways(channel):
    assert b"".join(channel.stream_stream(f"/{NAME}/Shout")(iter([b"a", b"b"]))) == b"AB"


@pytest.mark.parametrize(
    ("name", "error", "text"),
    [
        ("Refused", RefusedError, "example at a.test:1 refuses: 'client 7 may not'"),
        ("Unreachable", UnreachableError, "sonora went away"),
        ("Failed", CallError, "it is too late"),
        ("NotFound", CallError, "no such key"),
        ("Bug", VeracruzError, "INTERNAL"),
    ],
)
def test_an_error_comes_out_as_it_went_in(channel, name, error, text):
    with pytest.raises(error) as caught:
        ask(channel, name)
    assert type(caught.value) is error
    assert text in str(caught.value)
    assert "secret detail" not in str(caught.value)


def test_a_call_error_keeps_its_status(channel):
    with pytest.raises(CallError) as caught:
        ask(channel, "NotFound")
    assert caught.value.status is CallStatus.NOT_FOUND
    with pytest.raises(CallError) as caught:
        ask(channel, "Failed")
    assert caught.value.status is CallStatus.FAILED_PRECONDITION


def test_errors_are_one_short_line(channel):
    with pytest.raises(CallError) as caught:
        ask(channel, "Long")
    assert len(str(caught.value)) < 600
    assert str(caught.value).isprintable()


def test_a_bug_in_one_call_does_not_end_the_service(channel, caplog):
    with pytest.raises(VeracruzError):
        ask(channel, "Bug")
    assert "secret detail" in caplog.text
    assert ask(channel, "Echo", b"still here") == b"still here"


def test_a_stream_that_is_refused_midway_gives_what_came_before(channel):
    call = channel.stream_stream(f"/{NAME}/FailMidway")(iter([b"a", b"b"]))
    assert next(call) == b"a"
    with pytest.raises(grpc.RpcError) as caught:
        next(call)
    error = error_of_call(caught.value, peer="example")
    assert isinstance(error, RefusedError)
    assert "not this one" in str(error)


def test_an_unknown_method_is_an_error(channel):
    with pytest.raises(VeracruzError, match=r"service .UNIMPLEMENTED.: correct the address"):
        ask(channel, "Nothing")


def test_messages_have_a_limit_both_ways(channel, service):
    with pytest.raises(CallError) as caught:
        ask(channel, "Echo", bytes((1 << 20) + 1))
    assert caught.value.status is CallStatus.RESOURCE_EXHAUSTED
    with open_channel(service.address, max_message_bytes=1000) as narrow:
        with pytest.raises(CallError) as caught:
            ask(narrow, "Large", b"2000")
        assert caught.value.status is CallStatus.RESOURCE_EXHAUSTED
        assert ask(narrow, "Large", b"900") == bytes(900)


def test_nobody_there_is_unreachable_and_says_what_to_do():
    with open_channel(free_address()) as channel, pytest.raises(UnreachableError) as caught:
        unary(channel, "/a.B/C", b"", timeout_s=PATIENCE_S, peer="tabasco at 127.0.0.1:3010")
    assert str(caught.value) == (
        "tabasco at 127.0.0.1:3010 cannot be reached (connection refused): "
        "start it with 'tabasco serve', or correct the address"
    )
    assert caught.value.exit_code == 4


def test_no_answer_in_time_is_unreachable():
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        address = f"127.0.0.1:{deaf.getsockname()[1]}"
        with open_channel(address) as channel, pytest.raises(UnreachableError) as caught:
            unary(channel, "/a.B/C", b"", timeout_s=0.2, peer="tabasco", remedy="wait")
    assert "wait" in str(caught.value)


def test_a_peer_that_speaks_something_else_is_an_error():
    with socket.create_server(("127.0.0.1", 0)) as server:

        def talk() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=talk)
        thread.start()
        address = f"127.0.0.1:{server.getsockname()[1]}"
        with open_channel(address) as channel, pytest.raises(VeracruzError):
            unary(channel, "/a.B/C", b"", timeout_s=5, peer="tabasco")
        thread.join()


@pytest.mark.parametrize("proxy", ["http_proxy", "https_proxy", "grpc_proxy"])
def test_no_proxy_comes_between(monkeypatch, service, proxy):
    monkeypatch.setenv(proxy, f"http://{free_address()}")
    with open_channel(service.address) as channel:
        assert ask(channel, "Echo", b"direct") == b"direct"


def test_a_channel_needs_an_address():
    with pytest.raises(VeracruzError, match="HOST:PORT"):
        open_channel("unix:/tmp/x")


def test_health_is_told_for_the_whole_and_for_each_service(channel):
    assert is_serving(channel)
    assert is_serving(channel, service=NAME)
    assert not is_serving(channel, service="another.v1.Service")


def test_nobody_there_is_not_serving():
    with open_channel(free_address()) as channel:
        assert not is_serving(channel)


def test_one_call_too_many_is_refused_and_the_next_is_served():
    release, entered = threading.Event(), threading.Event()

    def hold(request: bytes) -> bytes:
        entered.set()
        release.wait(PATIENCE_S)
        return b"done"

    methods = {f"/{NAME}/Hold": hold, f"/{NAME}/Echo": lambda request: request}
    limits = ServiceLimits(calls=1)
    with (
        GrpcService("127.0.0.1:0", unary=methods, limits=limits) as service,
        open_channel(service.address) as one,
        open_channel(service.address) as two,
    ):
        held = one.unary_unary(f"/{NAME}/Hold").future(b"", timeout=PATIENCE_S)
        assert entered.wait(PATIENCE_S)
        with pytest.raises(CallError) as caught:
            ask(two, "Echo", b"x")
        assert caught.value.status is CallStatus.RESOURCE_EXHAUSTED
        release.set()
        assert held.result() == b"done"
        assert _once_there_is_room(lambda: ask(two, "Echo", b"x")) == b"x"


def test_who_connects_and_says_nothing_is_not_waited_for():
    with example(request_s=1.0) as service, open_channel(service.address) as channel:
        place = ("127.0.0.1", service.port)
        with contextlib.ExitStack() as stack:
            lines = [
                stack.enter_context(socket.create_connection(place, PATIENCE_S)) for _ in range(9)
            ]
            for line in lines:
                while line.recv(4096):  # its settings, and then the end
                    pass
        assert ask(channel, "Echo", b"x") == b"x"


@pytest.mark.parametrize("method", [f"/{NAME}/Echo", "/grpc.health.v1.Health/Check"])
def test_calls_without_a_request_keep_nobody_out(method):
    with (
        example(calls=2, on_connection=64, request_s=600) as service,
        silent_calls(service.address, method, connections=3) as held,
    ):
        # All have come, and as many wait as may: the others had to give way.
        most = service_module._ARRIVALS
        assert eventually(lambda: sum(call.done() for call in held) >= len(held) - most)
        with open_channel(service.address) as channel:
            for _ in range(20):
                assert ask(channel, "Echo", b"x") == b"x"
                assert is_serving(channel)
        assert not all(call.done() for call in held)


def test_a_call_whose_request_does_not_come_in_time_is_ended():
    with (
        example(request_s=0.2) as service,
        silent_calls(service.address, f"/{NAME}/Echo", connections=1, each=3) as held,
    ):
        for call in held:
            assert call.exception(PATIENCE_S).code() is grpc.StatusCode.CANCELLED


def test_calls_without_a_request_do_not_hold_up_the_end():
    with ExitStack() as stack:
        with example(request_s=600, grace_s=600) as service:
            calls = silent_calls(service.address, f"/{NAME}/Echo", connections=1, each=3)
            held = stack.enter_context(calls)
            assert eventually(lambda: len(service._arrivals._waiting) == 3)
        codes = {call.exception(PATIENCE_S).code() for call in held}
        assert codes <= {grpc.StatusCode.CANCELLED, grpc.StatusCode.UNAVAILABLE}


def test_a_call_that_ends_without_a_request_is_told_so(channel):
    with pytest.raises(grpc.RpcError) as caught:
        channel.stream_unary(f"/{NAME}/Echo")(iter(()), timeout=PATIENCE_S)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.details() == "the call has no request"


def test_one_address_does_not_get_all_calls_and_streams_take_none_of_them():
    release, entered = threading.Event(), threading.Semaphore(0)

    def hold(request: bytes) -> bytes:
        entered.release()
        release.wait(PATIENCE_S)
        return b"done"

    methods = {f"/{NAME}/Hold": hold, f"/{NAME}/Echo": lambda request: request}
    with ExitStack() as stack:
        stack.callback(release.set)
        service = stack.enter_context(
            GrpcService(
                "127.0.0.1:0",
                unary=methods,
                streams={f"/{NAME}/Shout": shout},
                limits=ServiceLimits(calls=3, calls_of_peer=2, streams=1),
            )
        )
        loud = stack.enter_context(open_channel(service.address))
        from_elsewhere = relay("127.0.0.2", Address.parse(service.address))
        other = stack.enter_context(open_channel(str(stack.enter_context(from_elsewhere))))
        stream = loud.stream_stream(f"/{NAME}/Shout")(_one_and_wait(release))
        assert next(stream) == b"A"
        held = [loud.unary_unary(f"/{NAME}/Hold").future(b"") for _ in range(2)]
        for _ in held:
            assert entered.acquire(timeout=PATIENCE_S)
        with pytest.raises(CallError, match="too many calls are in progress") as caught:
            ask(loud, "Echo", b"x")
        assert caught.value.status is CallStatus.RESOURCE_EXHAUSTED
        assert ask(other, "Echo", b"x") == b"x"
        assert is_serving(loud)
        with pytest.raises(grpc.RpcError) as refused:
            next(other.stream_stream(f"/{NAME}/Shout")(iter([b"b"])))
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        release.set()
        assert [call.result(PATIENCE_S) for call in held] == [b"done"] * 2


def _one_and_wait(release):
    yield b"a"
    release.wait(PATIENCE_S)


def _once_there_is_room(call):
    """What `call` gives; the server may count an answered call a moment longer."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return call()
        except CallError as error:
            if error.status is not CallStatus.RESOURCE_EXHAUSTED or time.monotonic() > deadline:
                raise


def test_an_address_in_use_is_told_with_the_remedy(service):
    with pytest.raises(VeracruzError) as caught, GrpcService(service.address, unary={}):
        pass
    assert str(caught.value) == (
        f"cannot listen on {service.address}: address already in use: "
        "choose another address, or end what listens there"
    )


def test_an_address_of_another_machine_cannot_be_listened_on():
    with (
        pytest.raises(VeracruzError, match=r"192\.0\.2\.1:0: cannot assign"),
        GrpcService("192.0.2.1:0", unary={}),
    ):
        pass


def test_a_free_port_is_found_on_every_loopback():
    for address in ("127.0.0.1:0", "localhost:0"):
        with GrpcService(address, unary={}) as service, open_channel(service.address) as channel:
            assert service.port > 0
            assert is_serving(channel)


def test_the_port_is_free_again_after_the_end():
    with GrpcService("127.0.0.1:0", unary={}) as first:
        pass
    with GrpcService(first.address, unary={}) as second, open_channel(second.address) as channel:
        assert is_serving(channel)


def test_stop_ends_serving_from_another_thread():
    with example() as service:
        threading.Timer(0.05, service.stop).start()
        before = signal.getsignal(signal.SIGTERM)
        assert service.serve_until_signalled(lambda: None) is None
        assert signal.getsignal(signal.SIGTERM) is before


def test_a_stop_before_serving_is_not_forgotten():
    with example() as service:
        service.stop()
        service.stop()
        assert service.serve_until_signalled(lambda: None) is None


def test_health_says_not_serving_while_calls_end():
    seen = []
    with example() as service, open_channel(service.address) as channel:
        service.stop()
        service.serve_until_signalled(
            lambda: seen.append(is_serving(channel)),
            on_stopping=lambda: seen.append(is_serving(channel)),
        )
    assert seen == [True, False]


SERVER = """
import sys, threading
from veracruz_shells.service import GrpcService, ServiceLimits
entered = threading.Event()
def hold(request):
    print("entered", flush=True)
    threading.Event().wait(float(request))
    return b"done"
methods = {"/a.B/Hold": hold}
limits = ServiceLimits(grace_s=float(sys.argv[1]))
with GrpcService("127.0.0.1:0", unary=methods, limits=limits) as service:
    cause = service.serve_until_signalled(lambda: print(service.address, flush=True))
    print(cause.name, flush=True)
"""


def start_server(grace_s: float) -> tuple[subprocess.Popen, str]:
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(grace_s)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    return process, process.stdout.readline().strip()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_process_cleanly(number):
    process, address = start_server(5)
    with process, open_channel(address) as channel:
        assert is_serving(channel)
        process.send_signal(number)
        out, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, out, err) == (0, f"{number.name}\n", "")


def test_a_call_in_progress_may_finish_within_the_grace():
    process, address = start_server(20)
    with process, open_channel(address) as channel:
        held = channel.unary_unary("/a.B/Hold").future(b"0.5", timeout=PATIENCE_S)
        assert process.stdout.readline() == "entered\n"
        process.send_signal(signal.SIGTERM)
        assert held.result() == b"done"
        process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0


def test_a_call_that_takes_longer_is_cut_off():
    process, address = start_server(0.2)
    with process, open_channel(address) as channel:
        held = channel.unary_unary("/a.B/Hold").future(b"3", timeout=PATIENCE_S)
        assert process.stdout.readline() == "entered\n"
        process.send_signal(signal.SIGTERM)
        with pytest.raises(grpc.RpcError):
            held.result()
        process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0


@pytest.mark.parametrize("module", ["channels", "service", "call_errors"])
def test_fork_handlers_are_off_before_grpc_is_there(module):
    source = f"""
import os, sys
import veracruz_shells.{module}
from grpc._cython import cygrpc
assert os.environ["GRPC_ENABLE_FORK_SUPPORT"] == "0"
assert cygrpc.get_fork_epoch() == 0
pid = os.fork()
if not pid:
    print(cygrpc.get_fork_epoch())
    sys.stdout.flush()
    os._exit(0)
os.waitpid(pid, 0)
"""
    environment = os.environ | {"GRPC_ENABLE_FORK_SUPPORT": "1"}
    run = subprocess.run(
        [sys.executable, "-c", source], env=environment, capture_output=True, check=True, text=True
    )
    assert run.stdout == "0\n"
