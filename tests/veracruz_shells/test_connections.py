"""A connection is found by its peer's name, and no other is ended."""

import ipaddress
import socket

import pytest

from support.patience import PATIENCE_S
from veracruz_shells.connections import end_connection, place_of


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("ipv4:192.0.2.7:40112", (ipaddress.ip_address("192.0.2.7"), 40112)),
        ("ipv6:%5B2001:db8::1%5D:40112", (ipaddress.ip_address("2001:db8::1"), 40112)),
        ("ipv6:[fe80::1%25eth0]:7", (ipaddress.ip_address("fe80::1"), 7)),
        ("unix:/run/a", None),
        ("ipv4:nonsense", None),
        ("", None),
    ],
)
def test_a_peers_name_is_an_address_and_a_port(name, place):
    assert place_of(name) == place


def test_the_connection_of_this_peer_ends_and_the_others_go_on():
    with socket.create_server(("127.0.0.1", 0)) as server:
        one, two = (socket.create_connection(server.getsockname(), PATIENCE_S) for _ in range(2))
        with one, two, server.accept()[0], server.accept()[0] as other:
            assert end_connection(f"ipv4:127.0.0.1:{one.getsockname()[1]}")
            assert one.recv(1) == b""
            other.sendall(b"x")
            assert two.recv(1) == b"x"


def test_who_is_not_there_is_not_ended():
    assert not end_connection("ipv4:192.0.2.7:9")
    assert not end_connection("unix:")
