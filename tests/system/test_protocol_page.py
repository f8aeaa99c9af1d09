"""A second client, by the words of docs/reference/protocol.md alone: none of our code talks here.

gRPC is grpcio's with bare bytes, TLS the standard library's, CBOR `cbor2`'s; Protocol Buffers are
taken apart by hand, and the frames that the page gives as examples are sent as they stand there.
"""

import hashlib
import json
import os
import re
import socket
import ssl
import struct
import time
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue

import cbor2
import grpc
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from support.patience import PATIENCE_S
from support.runtime_guests import COLLECTOR
from support.stack import DATA, PI, RESULT

PAGE = (Path(__file__).parents[2] / "docs/reference/protocol.md").read_text("utf-8")
EXAMPLES = {
    name: bytes.fromhex(frame)
    for name, frame in re.findall(r"^\| ([a-z-]+) \| `([0-9a-f]+)` \|", PAGE, re.MULTILINE)
}
SINALOA, TABASCO = "/veracruz.sinaloa.v1.Sinaloa/", "/veracruz.tabasco.v1.Tabasco/"
UPLOAD, PROCEED, DONE, ACCEPTED, RESULT_IS, REFUSED = 1, 1, 2, 3, 6, 8


def varint(number: int) -> bytes:
    digits = bytearray()
    while number > 0x7F:
        digits.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*digits, number])


def message(**fields: "int | bytes") -> bytes:
    """`f1=2` is field 1 with the number 2."""
    made = b""
    for name, value in fields.items():
        number = int(name[1:])
        if isinstance(value, bytes):
            made += varint(number << 3 | 2) + varint(len(value)) + value
        else:
            made += varint(number << 3) + varint(value)
    return made


def fields_of(data: bytes) -> dict[int, "int | bytes"]:
    found, at = {}, 0

    def number() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        key = number()
        if key & 7 == 0:
            found[key >> 3] = number()
        else:
            size = number()
            found[key >> 3] = data[at : at + size]
            at += size
    return found


class OverGrpc:
    """The bytes of a session in the messages of a stream."""

    def __init__(self, channel: grpc.Channel, policy: bytes) -> None:
        self._out: SimpleQueue[bytes | None] = SimpleQueue()
        self._answers = channel.stream_stream(SINALOA + "Session")(
            iter(self._out.get, None), metadata=names(policy), timeout=PATIENCE_S
        )

    def send(self, data: bytes) -> None:
        for start in range(0, len(data), 1 << 20):
            self._out.put(data[start : start + (1 << 20)])

    def receive(self) -> bytes:
        return next(self._answers, b"")

    def close(self) -> None:
        self._out.put(None)
        self._answers.cancel()


class OverTcp:
    """The bytes of a session on a connection of their own, after a frame each way."""

    def __init__(self, host: str, port: int, policy: bytes) -> None:
        self._socket = socket.create_connection((host, port), timeout=PATIENCE_S)
        opening = message(f1=1, f2=hashlib.sha256(policy).digest())
        self._socket.sendall(struct.pack("<I", len(opening)) + opening)
        (size,) = struct.unpack("<I", self._exactly(4))
        assert fields_of(self._exactly(size)).get(1, 0) == 0

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            data += self._socket.recv(size - len(data))
        return data

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def receive(self) -> bytes:
        return self._socket.recv(1 << 16)

    def close(self) -> None:
        self._socket.close()


class Session:
    """TLS with the isolate, and frames in it."""

    def __init__(self, way: "OverGrpc | OverTcp", pair: Path, attested: bytes) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.load_cert_chain(pair)
        context.set_alpn_protocols(["veracruz/1"])
        self._way, self._in, self._out = way, ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out)
        self._plain = b""
        self._until(self._tls.do_handshake)
        shown = self._tls.getpeercert(binary_form=True)
        assert hashlib.sha256(shown).digest() == attested
        assert self._tls.selected_alpn_protocol() == "veracruz/1"

    def _until(self, action):
        while True:
            try:
                value = action()
            except ssl.SSLWantReadError:
                self._way.send(self._out.read())
                data = self._way.receive()
                assert data, "the session was ended"
                self._in.write(data)
            else:
                self._way.send(self._out.read())
                return value

    def send(self, data: bytes) -> None:
        self._tls.write(data)
        self._way.send(self._out.read())

    def take(self, size: int) -> bytes:
        while len(self._plain) < size:
            self._plain += self._until(lambda: self._tls.read(1 << 16))
        taken, self._plain = self._plain[:size], self._plain[size:]
        return taken

    def answer(self) -> bytes:
        """A frame, whole."""
        head = self.take(4)
        return head + self.take(struct.unpack("<I", head)[0])

    def ask(self, frame: bytes) -> bytes:
        self.send(frame)
        return self.answer()

    def upload(self, frame: bytes, content: bytes) -> dict[int, "int | bytes"]:
        assert self.ask(frame) == EXAMPLES["proceed"]
        return fields_of(self.ask(content)[4:])


def names(policy: bytes):
    return [("veracruz-policy", hashlib.sha256(policy).hexdigest())]


def verified(message_bytes: bytes, key: ec.EllipticCurvePublicKey) -> dict:
    """The payload of a COSE_Sign1."""
    tagged = cbor2.loads(message_bytes)
    assert tagged.tag == 18
    protected, _, payload, signature = tagged.value
    assert cbor2.loads(protected)[1] == -7
    numbers = (int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))
    signed = cbor2.dumps(["Signature1", protected, b"", payload])
    key.verify(encode_dss_signature(*numbers), signed, ec.ECDSA(SHA256()))
    return cbor2.loads(payload)


def attested_certificate(sinaloa: grpc.Channel, tabasco: grpc.Channel, policy: bytes) -> bytes:
    """What the isolate's certificate has for a digest, after every check of the page's table."""
    agreed = json.loads(policy)
    challenge = os.urandom(32)
    call = {"timeout": PATIENCE_S}
    asked = sinaloa.unary_unary(SINALOA + "Attest")(
        message(f1=challenge), metadata=names(policy), **call
    )
    token = fields_of(asked)[1]
    key = load_pem_public_key(agreed["tabasco_key"].encode())
    pin = hashlib.sha256(ssl.PEM_cert_to_DER_cert(_as_certificate(agreed["tabasco_key"]))).digest()
    answer = tabasco.unary_unary(TABASCO + "VerifyToken")(
        message(f1=token, f2=challenge, f3=pin), **call
    )
    signed = fields_of(answer)[1]
    with pytest.raises(InvalidSignature):
        verified(signed[:-1] + bytes([signed[-1] ^ 1]), key)
    result = verified(signed, key)
    assert result[265] == "tag:ietf.org,2026:rats/ear#03"
    assert result[10] == challenge
    assert result[6] - 30 <= time.time() < result[4] + 30
    assert result[1002] == token
    assert [each[1000] for each in result[266].values()] == [2]
    claims = cbor2.loads(cbor2.loads(token).value[2])
    assert claims[10] == challenge
    accepted = {each["name"]: each["measurements"] for each in agreed["platforms"]}
    named = claims[-76000]
    assert claims[2396] == hashlib.sha256(b"veracruz-platform:" + named.encode()).digest()
    (component,) = claims[2399]
    assert component[1] == "ARoT"
    assert component[2].hex() in accepted[named]
    assert claims[-76002] == hashlib.sha256(policy).digest()
    assert claims[2395] >> 8 == 0x30
    assert set(agreed["isolation"]) <= set(claims[-76003])
    return claims[-76001]


def _as_certificate(pem: str) -> str:
    return pem.replace("PUBLIC KEY", "CERTIFICATE")


@pytest.fixture(scope="module")
def computation(stack):
    """Two principals, before anything is sent; the bridge takes bare TCP as well."""
    with stack.computation([PI, DATA], [RESULT], program=COLLECTOR, data=[0]) as computation:
        computation.kill_bridge()
        computation.start_bridge("127.0.0.1:0", "--bulk-listen", "127.0.0.1:0")
        yield computation


@contextmanager
def session(computation, client: int, *, over_tcp: bool):
    policy = computation.policy.raw
    certificate, key = computation.who(client)[1], computation.who(client)[3]
    pair = computation.folder / f"pair-{client}.pem"
    pair.write_bytes(key.read_bytes() + certificate.read_bytes())
    address = computation.address
    with (
        grpc.insecure_channel(str(address)) as sinaloa,
        grpc.insecure_channel(str(computation.stack.tabasco_address)) as tabasco,
    ):
        attested = attested_certificate(sinaloa, tabasco, policy)
        if over_tcp:
            told = sinaloa.unary_unary(SINALOA + "BulkPort")(b"", metadata=names(policy))
            way = OverTcp(address.host, fields_of(told)[1], policy)
        else:
            way = OverGrpc(sinaloa, policy)
        try:
            yield Session(way, pair, attested)
        finally:
            way.close()


def test_a_client_by_the_page_alone_has_a_program_computed(computation):
    content, policy = b"hello", computation.policy.raw
    with session(computation, 0, over_tcp=False) as provider:
        answer = provider.ask(EXAMPLES["policy-digest"])
        assert fields_of(fields_of(answer[4:])[5])[1] == hashlib.sha256(policy).digest()
        refused = fields_of(provider.ask(EXAMPLES["upload-data"])[4:])[REFUSED]
        assert fields_of(refused).items() >= fields_of(EXAMPLES["not-ready"][6:]).items()
        refused = fields_of(provider.ask(EXAMPLES["result"])[4:])[REFUSED]
        assert fields_of(refused).items() >= fields_of(EXAMPLES["wrong-role"][6:]).items()
        announced = message(f1=message(f1=1, f3=len(COLLECTOR)))
        taken = provider.upload(struct.pack("<I", len(announced)) + announced, COLLECTOR)
        assert taken == {DONE: b""}
    with session(computation, 0, over_tcp=True) as provider:
        taken = provider.upload(EXAMPLES["upload-data"], content)
        salt, commitment = fields_of(taken[ACCEPTED]).values()
        digest = hashlib.sha256(content).digest()
        label = b"veracruz-input-commitment-v1"
        parts = b"".join(len(each).to_bytes(8, "big") + each for each in (label, salt, digest))
        assert commitment == hashlib.sha256(parts).digest()
    with session(computation, 1, over_tcp=True) as reader:
        result = fields_of(fields_of(reader.ask(EXAMPLES["result"])[4:])[RESULT_IS])
        assert result[1] == 1
        assert content in reader.take(result[2])
        assert cbor2.loads(result[3]).tag == 18
        assert reader.ask(EXAMPLES["shutdown"]) == EXAMPLES["done"]
    assert computation.sinaloa.wait(PATIENCE_S) == 0


def test_every_example_is_used():
    assert EXAMPLES.keys() == {
        "state", "policy-digest", "upload-data", "proceed", "result", "shutdown", "done",
        "not-ready", "wrong-role",
    }  # fmt: skip
