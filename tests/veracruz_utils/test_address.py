import pytest
from hypothesis import given
from hypothesis import strategies as st

from veracruz_utils.address import Address
from veracruz_utils.errors import VeracruzError


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:3010", "127.0.0.1", 3010),
        ("localhost:1", "localhost", 1),
        ("tabasco.example.org:65535", "tabasco.example.org", 65535),
        ("my_host-1:80", "my_host-1", 80),
        ("[::1]:3010", "::1", 3010),
        ("[2001:db8::1]:3010", "2001:db8::1", 3010),
        ("127.0.0.1:0", "127.0.0.1", 0),
    ],
)
def test_an_address_is_read_and_written(text, host, port):
    address = Address.parse(text)
    assert (address.host, address.port) == (host, port)
    assert str(address) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        "a",
        "a:",
        ":1",
        "a:b",
        "a:65536",
        "a:99999",
        "a:01",
        "a:-1",
        "a:+1",
        "a: 1",
        "a:1 ",
        "a:1\n",
        "a:\u0661",
        "http://a:1",
        "a:1/",
        "a b:1",
        "-a:1",
        "a-:1",
        "a..b:1",
        ".a:1",
        "a" * 64 + ":1",
        "a." * 127 + "a:1",
        "256.0.0.1:1",
        "1.2.3:1",
        "::1:1",
        "[::1]",
        "[::1]:",
        "[a]:1",
        "[1.2.3.4]:1",
        "[fe80::1%eth0]:1",
        "[::g]:1",
        "\u00e4:1",
        "user@a:1",
    ],
)
def test_anything_else_is_no_address(text):
    with pytest.raises(VeracruzError):
        Address.parse(text)


@given(st.text(max_size=40))
def test_any_text_is_an_address_that_writes_itself_or_an_error(text):
    try:
        address = Address.parse(text)
    except VeracruzError:
        return
    assert str(address) == text


@pytest.mark.parametrize(("host", "port"), [("", 1), ("a", -1), ("a", 65536), ("a\n", 1)])
def test_an_address_cannot_be_made_wrong(host, port):
    with pytest.raises(VeracruzError):
        Address(host, port)
