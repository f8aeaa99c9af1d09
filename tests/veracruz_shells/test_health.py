"""Health over a real server: asked, watched, and watched by too many."""

import threading

import grpc
import pytest
from grpc_health.v1 import health_pb2

from support.patience import PATIENCE_S
from support.processes import eventually
from veracruz_shells.channels import is_serving, open_channel, unary
from veracruz_shells.health import WATCHERS_OF_PEER
from veracruz_shells.service import GrpcService, ServiceLimits
from veracruz_utils.errors import VeracruzError

ECHO = "/a.B/Echo"
Response = health_pb2.HealthCheckResponse


class Switch:
    """Whether work can be done; call it as a service does."""

    def __init__(self):
        self.missing = False

    def __call__(self):
        if self.missing:
            raise VeracruzError("the database does not answer")


@pytest.fixture
def ready():
    return Switch()


@pytest.fixture
def server(ready):
    methods = {ECHO: lambda request: request}
    limits = ServiceLimits(calls=2, calls_of_peer=2, streams=0, on_connection=64, grace_s=1)
    with GrpcService("127.0.0.1:0", unary=methods, limits=limits, ready=ready) as server:
        yield server


@pytest.fixture
def channel(server):
    with open_channel(server.address) as channel:
        yield channel


def watch(channel, service=""):
    asked = health_pb2.HealthCheckRequest(service=service).SerializeToString()
    return channel.unary_stream("/grpc.health.v1.Health/Watch")(asked, timeout=PATIENCE_S)


def told(watched):
    return Response.FromString(next(watched)).status


def test_what_cannot_work_is_not_serving_until_it_can(channel, ready):
    assert is_serving(channel)
    ready.missing = True
    assert not is_serving(channel)
    assert not is_serving(channel, service="a.B")
    ready.missing = False
    assert is_serving(channel)


def test_who_watches_is_told_at_once_and_of_each_change(channel, ready):
    watched = watch(channel, "a.B")
    assert told(watched) == Response.SERVING
    ready.missing = True
    assert told(watched) == Response.NOT_SERVING
    ready.missing = False
    assert told(watched) == Response.SERVING


def test_who_watches_something_else_is_told_that_it_is_not_known(channel):
    watched = watch(channel, "c.D")
    assert told(watched) == Response.SERVICE_UNKNOWN
    assert watched.is_active()
    watched.cancel()


def test_who_watches_is_told_of_the_end_and_let_go(server, channel):
    watched = watch(channel)
    assert told(watched) == Response.SERVING
    server.stop()
    ended = threading.Thread(target=server.__exit__)
    ended.start()
    assert told(watched) == Response.NOT_SERVING
    assert list(watched) == []
    ended.join(PATIENCE_S)


def test_watchers_take_no_place_of_calls_and_of_one_peer_there_are_few(channel):
    watched = [watch(channel) for _ in range(WATCHERS_OF_PEER)]
    assert [told(each) for each in watched] == [Response.SERVING] * WATCHERS_OF_PEER
    with pytest.raises(grpc.RpcError) as caught:
        next(watch(channel))
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert unary(channel, ECHO, b"x", timeout_s=PATIENCE_S, peer="it") == b"x"
    assert is_serving(channel)
    for each in watched:
        each.cancel()

    def is_told_again():
        again = watch(channel)
        try:
            return told(again) == Response.SERVING
        except grpc.RpcError:
            return False
        finally:
            again.cancel()

    assert eventually(is_told_again)
