"""Against the standard library's TLS, which is another OpenSSL and knows nothing of us."""

import ssl

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from baja import HandshakeCompleted, PeerClosed, PeerError, TlsFault
from support.stdlib_tls import (
    StdlibEnd,
    client_context,
    server_context,
    shake_hands,
    write_pem,
)
from support.tls_pair import NOW, SUITES, ca_identity, child_of, client, identity, plaintext, signed
from support.tls_pair import server_context as our_context
from veracruz_utils.policy import TlsVersion

ALICE = identity("alice")
MEGABYTE = bytes(range(256)) * 4096
each_suite = pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.name)


@pytest.fixture
def alice_pem(tmp_path):
    return write_pem(tmp_path, ALICE.private_key, ALICE.certificate)


def our_server(suite=SUITES[0], accepted=ALICE.certificate):
    return our_context(accepted, suite=suite).endpoint(now=NOW)


@each_suite
def test_a_foreign_client_speaks_to_our_server(suite, alice_pem):
    theirs, ours = StdlibEnd(client_context(alice_pem)), our_server(suite)
    events = shake_hands(theirs, ours)
    assert [type(event) for event in events] == [HandshakeCompleted]
    assert theirs.tls.cipher()[0] == suite.openssl_name
    assert theirs.tls.selected_alpn_protocol() == "veracruz/1"
    assert plaintext(ours.receive_data(theirs.write(MEGABYTE))) == MEGABYTE
    ours.send(MEGABYTE)
    theirs.advance(ours.data_to_send())
    assert theirs.read() == MEGABYTE


@each_suite
def test_our_client_speaks_to_a_foreign_server(suite, tmp_path):
    isolate = identity("isolate")
    chain = write_pem(tmp_path, isolate.private_key, isolate.certificate)
    context = server_context(chain, ALICE.certificate)
    # the test's certificates are valid around a fixed day, not today
    context.verify_flags |= 0x200000  # X509_V_FLAG_NO_CHECK_TIME
    theirs, ours = StdlibEnd(context, server_side=True), client(ALICE, suite)
    ours.start()
    events = shake_hands(theirs, ours)
    assert [type(event) for event in events] == [HandshakeCompleted]
    assert theirs.tls.getpeercert(binary_form=True) == ALICE.certificate
    ours.send(MEGABYTE)
    theirs.advance(ours.data_to_send())
    assert theirs.read() == MEGABYTE
    assert plaintext(ours.receive_data(theirs.write(MEGABYTE))) == MEGABYTE


def test_a_foreign_close_is_understood_and_answered(alice_pem):
    theirs, ours = StdlibEnd(client_context(alice_pem)), our_server()
    shake_hands(theirs, ours)
    with pytest.raises(ssl.SSLWantReadError):
        theirs.tls.unwrap()
    assert ours.receive_data(theirs.advance()) == [PeerClosed()]
    ours.close()
    theirs.advance(ours.data_to_send())
    theirs.tls.unwrap()


@each_suite
def test_a_client_without_a_certificate_is_refused(suite):
    with pytest.raises(PeerError) as caught:
        shake_hands(StdlibEnd(client_context(None)), our_server(suite))
    assert caught.value.fault is TlsFault.NO_CERTIFICATE


@each_suite
def test_a_client_of_another_protocol_is_refused_with_the_alert_for_it(suite, alice_pem):
    theirs = StdlibEnd(client_context(alice_pem, protocols=("http/1.1", "h2")))
    ours = our_server(suite)
    with pytest.raises(PeerError) as caught:
        shake_hands(theirs, ours)
    assert caught.value.fault is TlsFault.WRONG_PROTOCOL
    with pytest.raises(ssl.SSLError, match=r"(?i)no.application.protocol"):
        theirs.advance(ours.data_to_send())


@each_suite
def test_a_client_that_names_no_protocol_is_turned_away(suite, alice_pem):
    """OpenSSL finds nothing wrong with it: the session would be open but for our own check."""
    theirs, ours = StdlibEnd(client_context(alice_pem, protocols=())), our_server(suite)
    with pytest.raises(PeerError) as caught:
        shake_hands(theirs, ours)
    assert caught.value.fault is TlsFault.WRONG_PROTOCOL
    theirs.advance(ours.data_to_send())
    assert theirs.tls.read(1) == b""


@pytest.mark.parametrize("protocols", [(), ("http/1.1",)])
def test_a_server_of_another_protocol_is_refused(protocols, tmp_path):
    isolate = identity("isolate")
    chain = write_pem(tmp_path, isolate.private_key, isolate.certificate)
    context = server_context(chain, ALICE.certificate, protocols=protocols)
    ours = client(ALICE)
    ours.start()
    with pytest.raises(PeerError) as caught:
        shake_hands(StdlibEnd(context, server_side=True), ours)
    assert caught.value.fault is TlsFault.WRONG_PROTOCOL


@pytest.mark.parametrize("issuer_is_pinned", [False, True])
def test_a_pinned_leaf_with_its_issuer_behind_it_is_refused(tmp_path, issuer_is_pinned):
    """One certificate is what a principal is; a chain is somebody else's idea of trust."""
    leaf, issuer = child_of(ca_identity(), "ca"), ca_identity().certificate
    chain = write_pem(tmp_path, leaf.private_key, leaf.certificate, issuer)
    accepted = (leaf.certificate, issuer) if issuer_is_pinned else (leaf.certificate,)
    ours = our_context(*accepted).endpoint(now=NOW)
    with pytest.raises(PeerError) as caught:
        shake_hands(StdlibEnd(client_context(chain)), ours)
    assert caught.value.fault is TlsFault.UNKNOWN_CERTIFICATE


def test_a_strangers_leaf_with_a_pinned_certificate_behind_it_is_refused(tmp_path):
    key = ec.generate_private_key(ec.SECP256R1())
    leaf = signed("leaf", key.public_key(), "ca", ca_identity().private_key, ca=False)
    chain = write_pem(tmp_path, key, leaf, ca_identity().certificate)
    accepted = ca_identity().certificate
    with pytest.raises(PeerError) as caught:
        shake_hands(StdlibEnd(client_context(chain)), our_server(accepted=accepted))
    assert caught.value.fault is TlsFault.UNKNOWN_CERTIFICATE


@each_suite
def test_a_session_is_never_resumed(suite, alice_pem):
    """The tickets OpenSSL still sends in TLS 1.3 name sessions that the server did not keep."""
    context, isolate = client_context(alice_pem), our_context(ALICE.certificate, suite=suite)
    session = None
    for _ in range(3):
        theirs = StdlibEnd(context, session=session)
        ours = isolate.endpoint(now=NOW)
        events = shake_hands(theirs, ours)
        ours.send(b"x")
        theirs.advance(ours.data_to_send())
        assert theirs.read() == b"x"
        assert not theirs.tls.session_reused
        assert [type(event) for event in events] == [HandshakeCompleted]
        session = theirs.tls.session
        assert session.has_ticket is (suite.version is TlsVersion.TLS_1_3)
