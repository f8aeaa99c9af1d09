"""Sonora and Durango with an attestation service that speaks TLS and lets in whom it knows."""

import pytest

from support.patience import PATIENCE_S
from support.runtime_guests import HELLO
from support.stack import PI, RESULT
from support.tls_authority import TlsAuthority


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return TlsAuthority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def secure(stack, authority):
    """The stack's Tabasco once more, over TLS with certificates of both sides."""
    pair = authority.issue("server")
    service = stack.serve(
        "tabasco", "--state", stack.folder / "tabasco", "--listen", "127.0.0.1:0",
        "--trust-root", stack.root, "--tls-certificate", pair.certificate, "--tls-key", pair.key,
        "--client-ca", authority.file,
    )  # fmt: skip
    return service.wait_ready()


@pytest.fixture(scope="module")
def computation(stack):
    with stack.computation([PI, RESULT], program=HELLO) as computation:
        yield computation


def shown(authority, name):
    pair = authority.issue(name)
    certificate = ["--tabasco-client-certificate", pair.certificate]
    return ["--tabasco-ca", authority.file, *certificate, "--tabasco-client-key", pair.key]


def test_a_root_attester_enrols_over_tls_with_its_certificate(stack, authority, secure):
    options = ["--state", stack.folder / "sonora", "--image", stack.image.folder]
    sonora = stack.serve(
        "sonora", *options, "--tabasco", secure, "--socket", stack.folder / "other.sock",
        *shown(authority, "sonora"),
    )  # fmt: skip
    assert sonora.wait_ready()


def test_a_root_attester_without_a_certificate_is_told_what_is_wrong(stack, authority, secure):
    options = ["--state", stack.folder / "sonora", "--image", stack.image.folder]
    sonora = stack.serve(
        "sonora", *options, "--tabasco", secure, "--socket", stack.folder / "third.sock",
        "--tabasco-ca", authority.file, "--patience", "0",
    )  # fmt: skip
    assert sonora.wait(PATIENCE_S) == 4
    assert "tabasco at" in sonora.last_words


def test_a_principal_asks_over_tls_and_names_the_authority(computation, authority, secure):
    there = ["--tabasco", secure]
    right = shown(authority, "durango")
    computation.durango("attest", *there, *right).done()
    computation.durango("attest", *there, "--tabasco-ca", authority.file).refused(4, "tabasco at")
    stranger = TlsAuthority(authority.file.parent / "stranger", "another")
    wrong = ["--tabasco-ca", stranger.file, *right[2:]]
    computation.durango("attest", *there, *wrong).refused(4, "do not agree on TLS")
    computation.durango("attest", *there, *right[2:]).refused(1, "name the authority")
