"""Peers that are not who they must be, or speak otherwise than the policy asks."""

import warnings
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL, crypto

from baja import (
    EndpointConfig,
    HandshakeCompleted,
    KeyAndCertificate,
    LocalError,
    PeerClosed,
    PeerError,
    Phase,
    ServerContext,
    TlsFault,
)
from baja.client import ClientEndpoint
from support.tls_pair import (
    DAY,
    NOW,
    SUITES,
    ca_identity,
    carry,
    child_of,
    client,
    config,
    handshake,
    identity,
    pair,
    rsa_identity,
    server_context,
    signed,
)
from veracruz_utils.digest import Digest
from veracruz_utils.policy import TLS_1_2_SUITES, TLS_1_3_SUITES

ALICE = identity("alice")
MALLORY = identity("mallory")
ONE_OF_EACH = [TLS_1_3_SUITES[0], TLS_1_2_SUITES[0]]
each_version = pytest.mark.parametrize("suite", ONE_OF_EACH, ids=lambda suite: suite.version.name)


def refusal(left, right):
    """The first error of a handshake that must not succeed."""
    with pytest.raises(PeerError) as caught:
        handshake(left, right)
    return caught.value


def last_words(left, right):
    """What the client makes of what the server still had to say."""
    with pytest.raises(PeerError) as caught:
        carry(right, left)
    return caught.value


@each_version
def test_a_strangers_certificate_is_refused_with_its_digest_and_an_alert(suite):
    left, right = (
        client(MALLORY, suite),
        server_context(ALICE.certificate, suite=suite).endpoint(now=NOW),
    )
    error = refusal(left, right)
    assert error.fault is TlsFault.UNKNOWN_CERTIFICATE
    assert error.certificate_digest == str(MALLORY.digest)
    assert str(MALLORY.digest) in str(error)
    assert last_words(left, right).fault is TlsFault.REFUSED_OUR_CERTIFICATE


@each_version
def test_a_pinned_ca_certificate_does_not_let_in_what_it_signed(suite):
    ca = ca_identity()
    context = server_context(ca.certificate, suite=suite)
    left, right = client(child_of(ca, "ca"), suite), context.endpoint(now=NOW)
    assert refusal(left, right).fault is TlsFault.UNKNOWN_CERTIFICATE
    # while the CA's own certificate, being pinned, comes in
    _, at_server = handshake(client(ca, suite), context.endpoint(now=NOW))
    assert at_server[0].peer_certificate == ca.certificate


@each_version
def test_a_pinned_certificate_of_an_unknown_issuer_is_accepted(suite):
    leaf = child_of(ca_identity(), "ca")
    context = server_context(leaf.certificate, suite=suite)
    _, at_server = handshake(client(leaf, suite), context.endpoint(now=NOW))
    assert at_server[0].peer_certificate == leaf.certificate


@each_version
def test_same_name_and_dates_with_another_key_is_another_certificate(suite):
    key = ec.generate_private_key(ec.SECP256R1())
    twin = KeyAndCertificate(key, signed("alice", key.public_key(), "alice", key, ca=False))
    left, right = (
        client(twin, suite),
        server_context(ALICE.certificate, suite=suite).endpoint(now=NOW),
    )
    assert refusal(left, right).fault is TlsFault.UNKNOWN_CERTIFICATE


@pytest.mark.parametrize(
    ("now", "fault"),
    [
        (NOW - DAY - timedelta(seconds=1), TlsFault.PREMATURE_CERTIFICATE),
        (NOW + 30 * DAY + timedelta(seconds=1), TlsFault.EXPIRED_CERTIFICATE),
    ],
)
@each_version
def test_a_pinned_certificate_outside_its_dates_is_refused(suite, now, fault):
    context = server_context(ALICE.certificate, suite=suite)
    left, right = client(ALICE, suite), context.endpoint(now=now)
    assert refusal(left, right).fault is fault
    assert last_words(left, right).fault is TlsFault.REFUSED_OUR_CERTIFICATE


@pytest.mark.parametrize("now", [NOW - DAY, NOW + 30 * DAY])
def test_a_certificate_is_valid_in_its_first_and_its_last_second(now):
    right = server_context(ALICE.certificate).endpoint(now=now)
    assert handshake(client(ALICE), right)[1]


def key_pretending_to_be(public_key, secret_scalar):
    """A private key that claims somebody else's public point; OpenSSL loads it unchecked."""
    der = ec.derive_private_key(secret_scalar, ec.SECP256R1()).private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    own = ec.derive_private_key(secret_scalar, ec.SECP256R1()).public_key()
    points = [
        key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
        for key in (own, public_key)
    ]
    assert der.count(points[0]) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return crypto.load_privatekey(crypto.FILETYPE_ASN1, der.replace(*points))


@each_version
def test_a_pinned_certificate_shown_by_who_does_not_hold_its_key_is_refused(suite):
    thief = key_pretending_to_be(ALICE.private_key.public_key(), 1234567)
    with pytest.warns(DeprecationWarning, match="PKey"):
        left = ClientEndpoint(
            EndpointConfig(suite, thief, ALICE.certificate),
            server_certificate_digest=identity("isolate").digest,
            server_name="isolate.test",
        )
    right = server_context(ALICE.certificate, suite=suite).endpoint(now=NOW)
    assert refusal(left, right).fault is TlsFault.WRONG_KEY
    assert last_words(left, right).fault is TlsFault.REFUSED_OUR_CERTIFICATE


@each_version
def test_a_server_that_does_not_hold_the_attested_key_is_refused(suite):
    isolate = identity("isolate")
    thief = key_pretending_to_be(isolate.private_key.public_key(), 7654321)
    with pytest.warns(DeprecationWarning, match="PKey"):
        context = ServerContext(
            EndpointConfig(suite, thief, isolate.certificate), accepted=[ALICE.certificate]
        )
    assert refusal(client(ALICE, suite), context.endpoint(now=NOW)).fault is TlsFault.WRONG_KEY


@each_version
def test_a_server_with_another_certificate_than_the_attested_is_refused_by_the_client(suite):
    imposter = ServerContext(config(MALLORY, suite), accepted=[ALICE.certificate])
    left, right = client(ALICE, suite), imposter.endpoint(now=NOW)
    error = refusal(left, right)
    assert error.fault is TlsFault.UNKNOWN_CERTIFICATE
    assert error.certificate_digest == str(MALLORY.digest)
    with pytest.raises(PeerError) as caught:
        carry(left, right)
    assert caught.value.fault is TlsFault.REFUSED_OUR_CERTIFICATE
    with pytest.raises(LocalError, match="failed"):
        left.send(b"my secret input")


@pytest.mark.parametrize("suites", [TLS_1_3_SUITES, TLS_1_2_SUITES], ids=["1.3", "1.2"])
def test_a_client_of_another_suite_is_refused(suites):
    left = client(ALICE, suites[1])
    right = server_context(ALICE.certificate, suite=suites[0]).endpoint(now=NOW)
    assert refusal(left, right).fault is TlsFault.WRONG_SUITE
    error = last_words(left, right)
    assert (error.fault, error.alert) == (TlsFault.WRONG_SUITE, "handshake failure")


@pytest.mark.parametrize(("ours", "theirs"), [ONE_OF_EACH, ONE_OF_EACH[::-1]])
def test_a_client_of_another_version_is_refused(ours, theirs):
    left = client(ALICE, theirs)
    right = server_context(ALICE.certificate, suite=ours).endpoint(now=NOW)
    assert refusal(left, right).fault is TlsFault.WRONG_VERSION
    error = last_words(left, right)
    assert (error.fault, error.alert) == (TlsFault.WRONG_VERSION, "protocol version")


@each_version
def test_a_refused_session_leaves_the_other_sessions_of_its_isolate_alone(suite):
    context = server_context(ALICE.certificate, suite=suite)
    left, right = pair(suite)
    left.start()
    right.receive_data(left.data_to_send())
    refusal(client(MALLORY, suite), context.endpoint(now=NOW))
    good_left, good_right = client(ALICE, suite), context.endpoint(now=NOW)
    assert [type(e) for e in handshake(good_left, good_right)[1]] == [HandshakeCompleted]
    left.receive_data(right.data_to_send())
    assert [type(e) for e in carry(left, right)] == [HandshakeCompleted]


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.name)
def test_the_rsa_certificates_of_2021_are_accepted(suite):
    key, certificate = rsa_identity()
    left = ClientEndpoint(
        EndpointConfig(suite, key, certificate),
        server_certificate_digest=Digest.of(identity("isolate").certificate),
        server_name="isolate.test",
    )
    right = server_context(certificate, suite=suite).endpoint(now=NOW)
    assert handshake(left, right)[1][0].peer_certificate == certificate


def test_a_key_of_another_certificate_is_refused_before_any_byte():
    mixed = EndpointConfig(SUITES[0], MALLORY.private_key, identity("isolate").certificate)
    with pytest.raises(LocalError, match="do not belong together"):
        ServerContext(mixed, accepted=[])


def test_an_accepted_certificate_that_is_none_is_refused():
    with pytest.raises(LocalError, match="not a certificate"):
        server_context(b"0\x03\x02\x01\x01")


@pytest.mark.parametrize("name", ["", "x" * 256, "höst", "a\0b"])
def test_a_server_name_that_cannot_be_sent_is_refused(name):
    with pytest.raises(LocalError, match="server name"):
        ClientEndpoint(
            config(ALICE), server_certificate_digest=identity("isolate").digest, server_name=name
        )


@pytest.mark.parametrize("mode", [SSL.VERIFY_NONE, SSL.VERIFY_PEER])
def test_admission_does_not_rely_on_what_openssl_verified(mode):
    """With OpenSSL's verification broken open, the comparison after the handshake still holds."""
    imposter = ServerContext(config(MALLORY), accepted=[ALICE.certificate])
    left, right = client(ALICE), imposter.endpoint(now=NOW)
    left._tls.set_verify(mode, lambda *_: True)
    assert refusal(left, right).fault is TlsFault.NO_CERTIFICATE
    for accepted_before in (MALLORY.certificate, identity("isolate").certificate):
        left, right = client(ALICE), imposter.endpoint(now=NOW)
        left._tls.set_verify(mode, lambda *_: True)
        left._check.fault, left._check.certificate = None, accepted_before
        assert refusal(left, right).fault is TlsFault.UNKNOWN_CERTIFICATE


@pytest.mark.parametrize(
    ("fault", "certificate"),
    [(TlsFault.NO_CERTIFICATE, identity("isolate").certificate), (None, MALLORY.certificate)],
)
def test_a_peer_that_was_not_judged_in_this_session_is_refused(fault, certificate):
    """The pinned peer itself: what counts is that this session's callback has judged it."""
    left, right = pair()
    left._tls.set_verify(SSL.VERIFY_PEER, lambda *_: True)
    left._check.fault, left._check.certificate = fault, certificate
    assert refusal(left, right).fault is (fault or TlsFault.UNKNOWN_CERTIFICATE)


def almost_connected(suite, accepted):
    """(client, server) of a handshake of which only the client's last flight is missing."""
    left = client(ALICE, suite)
    right = server_context(*accepted, suite=suite).endpoint(now=NOW)
    left.start()
    carry(left, right)
    carry(right, left)
    return left, right


class TestWhatOpenSslLetPass:
    """The checks after the handshake hold by themselves, whatever OpenSSL made sure of."""

    def refused(self, left, right, fault):
        with pytest.raises(PeerError) as caught:
            carry(left, right)
        assert caught.value.fault is fault
        assert right.phase is Phase.FAILED
        assert right.pending_output > 0
        if left.phase is Phase.OPEN:
            assert carry(right, left)[-1] == PeerClosed()

    @each_version
    def test_a_certificate_that_was_not_judged_in_this_session(self, suite, monkeypatch):
        left, right = almost_connected(suite, [ALICE.certificate, MALLORY.certificate])
        shown = crypto.X509.from_cryptography(x509.load_der_x509_certificate(MALLORY.certificate))
        monkeypatch.setattr(right._tls, "get_peer_certificate", lambda: shown)
        self.refused(left, right, TlsFault.UNKNOWN_CERTIFICATE)

    @each_version
    @pytest.mark.parametrize("spoken", [b"", b"http/1.1"])
    def test_another_protocol(self, suite, spoken, monkeypatch):
        left, right = almost_connected(suite, [ALICE.certificate])
        monkeypatch.setattr(right._tls, "get_alpn_proto_negotiated", lambda: spoken)
        self.refused(left, right, TlsFault.WRONG_PROTOCOL)

    @each_version
    def test_another_suite(self, suite, monkeypatch):
        left, right = almost_connected(suite, [ALICE.certificate])
        monkeypatch.setattr(right._tls, "get_cipher_name", lambda: "TLS_SHA256_SHA256")
        self.refused(left, right, TlsFault.WRONG_SUITE)


def test_closing_a_session_that_failed_says_nothing_more():
    left, right = client(MALLORY), server_context(ALICE.certificate).endpoint(now=NOW)
    refusal(left, right)
    assert right.data_to_send() != b""
    right.close()
    assert right.data_to_send() == b""
