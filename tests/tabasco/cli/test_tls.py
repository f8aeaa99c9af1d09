"""TLS of the whole service: who is let in by which certificate, and what plain text is."""

import contextlib
import re
import shutil
import socket
import ssl

import httpx
import pytest
from click.testing import CliRunner

import colima.tabasco as wire
from colima import encode
from support.patience import PATIENCE_S
from support.processes import eventually
from support.tls_authority import TlsAuthority
from tabasco.cli import main
from veracruz import Service
from veracruz_shells.channels import open_channel, unary
from veracruz_shells.tls_files import ClientFiles
from veracruz_utils.errors import UnreachableError


@pytest.fixture
def authority(tmp_path):
    return TlsAuthority(tmp_path / "tls")


@pytest.fixture
def stranger(tmp_path):
    return TlsAuthority(tmp_path / "stranger", "another")


@pytest.fixture
def pair(authority):
    return authority.issue("server")


@pytest.fixture
def serve(tmp_path):
    """Starts `tabasco serve` with these options more; the service, and the URL of HTTP."""

    @contextlib.contextmanager
    def start(*more):
        listening = ["--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"]
        arguments = ["serve", *listening, "--state", tmp_path / "s", *more]
        with Service("tabasco", [*map(str, arguments)]) as service:
            service.wait_ready()
            yield service, re.search(r"HTTP on (\S+)", service.last_words)[1]

    return start


def tls_of(pair, authority=None):
    more = [] if authority is None else ["--client-ca", authority.file]
    return ["--tls-certificate", pair.certificate, "--tls-key", pair.key, *more]


def describe(address, tls):
    with open_channel(address, tls=tls) as channel:
        method, request = f"/{wire.SERVICE}/Describe", encode(wire.DescribeServiceRequest())
        return unary(channel, method, request, timeout_s=PATIENCE_S, peer="tabasco at test")


def http_client(url, authority, pair=None, **more):
    context = ssl.create_default_context(cafile=authority.file)
    if pair is not None:
        context.load_cert_chain(pair.certificate, pair.key)
    return httpx.Client(base_url=url, verify=context, trust_env=False, timeout=PATIENCE_S, **more)


def refused(address, tls):
    with pytest.raises(UnreachableError) as caught:
        describe(address, tls)
    return str(caught.value)


def test_over_grpc_who_trusts_the_authority_is_served_and_who_does_not_trusts_nobody(
    serve, authority, stranger, pair
):
    with serve(*tls_of(pair)) as (service, _):
        assert describe(service.address, ClientFiles(authority.file))
        message = refused(service.address, ClientFiles(stranger.file))
        assert "certificate verify failed" in message
        assert "name the authority" in message
        refused(service.address, None)  # plain text


def test_over_grpc_a_client_needs_a_certificate_of_the_authority_in_its_time(
    serve, authority, stranger, pair
):
    with serve(*tls_of(pair, authority)) as (service, _):
        right = authority.issue("client")
        assert describe(service.address, ClientFiles(authority.file, right.certificate, right.key))
        refused(service.address, ClientFiles(authority.file))
        for wrong in (authority.issue("over", ended=True), stranger.issue("client")):
            refused(service.address, ClientFiles(authority.file, wrong.certificate, wrong.key))
        assert describe(service.address, ClientFiles(authority.file, right.certificate, right.key))


def test_a_server_whose_certificate_is_over_is_not_believed(serve, authority):
    with serve(*tls_of(authority.issue("server", ended=True))) as (service, _):
        assert "certificate verify failed" in refused(service.address, ClientFiles(authority.file))


def test_administrators_need_a_certificate_and_a_token_and_others_neither(
    serve, tmp_path, authority, stranger, pair
):
    done = CliRunner().invoke(
        main,
        [
            "administrator", "add", "--name", "x", "--role", "reader", str(tmp_path / "token"),
            "--state", str(tmp_path / "s"),
        ],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    headers = {"Authorization": f"Bearer {(tmp_path / 'token').read_text().strip()}"}
    client = authority.issue("client")
    with serve(*tls_of(pair, authority)) as (_, url):
        assert url.startswith("https://")
        with http_client(url, authority) as anybody:
            assert anybody.get("/readyz").status_code == 200
            assert anybody.get("/v1/instances").status_code == 401
            assert anybody.get("/v1/instances", headers=headers).status_code == 401
        with http_client(url, authority, client) as certified:
            assert certified.get("/v1/instances").status_code == 401
            assert certified.get("/v1/instances", headers=headers).json() == []
        for wrong in (authority.issue("over", ended=True), stranger.issue("client")):
            with (
                http_client(url, authority, wrong) as other,
                pytest.raises(httpx.TransportError),
            ):
                other.get("/readyz")
        with pytest.raises(httpx.TransportError):
            httpx.get(url.replace("https", "http"), trust_env=False)


def test_new_certificates_are_shown_without_a_restart_and_bad_ones_are_not(
    serve, authority, stranger, pair
):
    with serve(*tls_of(pair)) as (service, url):
        assert describe(service.address, ClientFiles(authority.file))
        pair.key.write_bytes(b"no key")  # a half of what is being replaced
        assert describe(service.address, ClientFiles(authority.file))
        newer = stranger.issue("server")
        shutil.copy(newer.key, pair.key)
        shutil.copy(newer.certificate, pair.certificate)
        assert describe(service.address, ClientFiles(stranger.file))
        with http_client(url, stranger) as client:
            assert client.get("/readyz").status_code == 200
        refused(service.address, ClientFiles(authority.file))


def test_http_may_have_a_certificate_of_its_own(serve, authority, stranger, pair):
    own = stranger.issue("web")
    options = ["--http-certificate", own.certificate, "--http-key", own.key]
    with (
        serve(*tls_of(pair, authority), *options) as (_, url),
        http_client(url, stranger) as client,
    ):
        assert client.get("/readyz").status_code == 200


def test_clients_that_never_shake_hands_keep_nobody_out(serve, authority, pair):
    with serve(*tls_of(pair)) as (service, url), contextlib.ExitStack() as stack:
        place = url.removeprefix("https://").split(":")
        for number in range(300):  # more than there is room for, from ten addresses
            source = (f"127.0.0.{2 + number % 10}", 0)
            stack.enter_context(
                socket.create_connection((place[0], int(place[1])), PATIENCE_S, source)
            )
        with http_client(url, authority) as client:
            assert eventually(lambda: client.get("/readyz").status_code == 200)
        assert describe(service.address, ClientFiles(authority.file))


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--tls-certificate", "{certificate}"], "give both --tls-certificate and --tls-key"),
        (["--client-ca", "{ca}"], "--client-ca needs --tls-certificate and --tls-key"),
        (["--http-client-ca", "{ca}"], "--http-client-ca needs --http-certificate"),
        (["--tls-certificate", "{certificate}", "--tls-key", "{other}"], "cannot be used"),
        (["--tls-certificate", "{certificate}", "--tls-key", "/nowhere"], "no such file"),
        (["--tls-certificate", "{certificate}", "--tls-key", "{key}", "--client-ca", "{key}"],
         "holds no certificates of authorities"),
    ],
)  # fmt: skip
def test_files_that_do_not_fit_are_refused_before_anything_listens(
    tmp_path, authority, pair, options, complaint
):
    names = {"certificate": pair.certificate, "key": pair.key, "ca": authority.file,
             "other": authority.issue("other").key}  # fmt: skip
    given = [each.format(**names) for each in options]
    arguments = ["serve", "--state", str(tmp_path / "s"), "--listen", "127.0.0.1:0", *given]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code in {1, 2}
    assert complaint in done.output


def test_plain_text_that_leaves_this_machine_is_warned_of(tmp_path, pair):
    arguments = ["serve", "--state", str(tmp_path / "s"), "--listen", "0.0.0.0:0"]
    with Service("tabasco", arguments) as service:
        service.wait_ready()
        assert "is plain text" in service.last_words
    with Service("tabasco", [*arguments, *map(str, tls_of(pair))]) as service:
        service.wait_ready()
        assert "is plain text" not in service.last_words
