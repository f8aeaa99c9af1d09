"""Bundles of receipts, honest and forged, whose every signature holds.

What is wrong is what was signed, so that a reader who looks at signatures alone believes all of
them: the forger has the keys of an isolate, of a root attester and of a Tabasco of its own.
"""

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import cbor2

from baja import make_certificate
from durango import Evidence
from durango.attestation_files import SavedAttestation
from durango.bundles import ReceiptBundle
from psa_attestation.receipts.receipt import (
    DETAILS,
    InputCommitment,
    Receipt,
    RunDetails,
    RunEnd,
    commit_details,
)
from psa_attestation.receipts.signing import sign_receipt
from support.policies import current_document, identity, text
from support.principal_rig import DAY, MEASUREMENT, Attester, key_pem, now
from support.psa_tokens import sign1_by_hand
from veracruz_utils.digest import Digest
from veracruz_utils.policy import LINUX_SOFTWARE, RUNTIME_LAYERS

Change = Callable[[Any], Any]
"""From what an honest party would sign to what is signed."""

ATTESTER: Final = Attester()
ISOLATE: Final = make_certificate(name="isolate", not_before=now() - DAY, not_after=now() + DAY)
CHALLENGE: Final = b"c" * 32


def put(members: Mapping[Any, Any]) -> Change:
    """With these members instead of, or besides, the honest ones."""
    return lambda honest: honest | members


def drop(*keys: object) -> Change:
    """Without these members."""
    return lambda honest: {key: each for key, each in honest.items() if key not in keys}


def replaced(old: bytes, new: bytes) -> Change:
    """With one part of a text in place of another."""

    def change(honest: bytes) -> bytes:
        assert old in honest
        return honest.replace(old, new, 1)

    return change


def _same(honest: Any) -> Any:
    return honest


@dataclass(frozen=True)
class Forger:
    """Who has all keys; each field is a change to what one of them signs.

    `details` take the place of those of the run, and the receipt commits to them.
    """

    document: Change = _same
    policy: Change = _same
    token: Change = _same
    result: Change = _same
    receipt: Change = _same
    header: Change = _same
    unprotected: Change = _same
    details: Mapping[int, object] | None = None

    def bundle(self) -> bytes:
        """A bundle of one receipt."""
        key = key_pem(ATTESTER.tabasco_key).decode().strip()
        platforms = [{"name": LINUX_SOFTWARE, "measurements": [MEASUREMENT.hex()]}]
        plain = current_document() | {"tabasco_key": key, "platforms": platforms}
        document = self.document(plain)
        raw = self.policy(text(document))
        token = self._token(Digest.of(raw))
        saved = SavedAttestation(Evidence(CHALLENGE, token, self._result(token)), now())
        signed = self._receipt(document, Digest.of(raw))
        return ReceiptBundle((signed,), saved, raw).to_bytes()

    def _token(self, policy: Digest) -> bytes:
        claims = ATTESTER.claims(CHALLENGE, ISOLATE.certificate, policy)
        members = self.token(_payload(ATTESTER.token(claims)))
        return sign1_by_hand(cbor2.dumps(members), ATTESTER.sonora_key)

    def _result(self, token: bytes) -> bytes:
        honest = ATTESTER.result(ATTESTER.ear(token, CHALLENGE, now()))
        return sign1_by_hand(cbor2.dumps(self.result(_payload(honest))), ATTESTER.tabasco_key)

    def _receipt(self, document: Any, policy: Digest) -> bytes:
        honest = current_document() | (document if isinstance(document, dict) else {})
        made = sign_receipt(
            Receipt(
                policy_digest=policy.value,
                program_digest=bytes.fromhex(current_document()["program_digest"]),
                number=1,
                previous_receipt=None,
                round=1,
                attempt=1,
                inputs=(
                    *(InputCommitment(client, 0, "data", b"d" * 32) for client in (1, 2)),
                    *(InputCommitment(2, each, "stream", b"s" * 32) for each in (1, 2)),
                ),
                end=RunEnd.FINISHED,
                details=RunDetails(0, b"o" * 32, 7),
                readers=(7,),
                strategy="JIT",
                engine="scripted 1.0",
                debug=honest["debug"] is True,
                isolation=tuple(sorted(RUNTIME_LAYERS)),
                measurement=MEASUREMENT,
                host_time=1_790_000_000,
                canonical_nans=honest.get("deterministic") is True,
            ),
            ISOLATE.private_key,
            ISOLATE.certificate,
            salt=b"t" * 32,
        )
        protected, unprotected, payload, _ = cbor2.loads(made.opened).value
        members = cbor2.loads(payload)
        if self.details is not None:
            salt, encoded = b"t" * 32, cbor2.dumps(self.details)
            unprotected = {**unprotected, DETAILS: [salt, encoded]}
            members |= {9: commit_details(salt, encoded)}
        return sign1_by_hand(
            cbor2.dumps(self.receipt(members), canonical=True),
            ISOLATE.private_key,
            protected=cbor2.dumps(self.header(cbor2.loads(protected)), canonical=True),
            unprotected=self.unprotected(dict(unprotected)),
        )


def _payload(message: bytes) -> dict[Any, Any]:
    found: dict[Any, Any] = cbor2.loads(cbor2.loads(message).value[2])
    return found


def _people(*people: dict[str, Any], **changes: object) -> Change:
    return put({"identities": list(people), **changes})


PAULA = identity(0, "paula", "PiProvider")
DORA = identity(1, "dora", "DataProvider")
DIRK = identity(2, "dirk", "DataProvider", "StreamProvider")
RITA = identity(7, "rita", "ResultReader")
_PEOPLE = (PAULA, DORA, DIRK, RITA)
_PRIVACY = {"mechanism": "laplace", "epsilon": "0.5", "total_epsilon": "1", "sensitivity": "1"}
_COMPONENT = {1: "ARoT", 2: MEASUREMENT, 4: "0.1.0", 5: b"u" * 32, 6: "sha-256"}


def _altered(certificate: str) -> str:
    """With another last letter of what its signature covers: the key's, and then the signature."""
    body = certificate.splitlines()[1]
    at = len(body) - 40
    return certificate.replace(body, body[:at] + ("A" if body[at] != "A" else "B") + body[at + 1 :])


_SHA_256, _SHA_384 = "2a8648ce3d040302", "2a8648ce3d040303"


def _changed(certificate: Any, old: str, new: str) -> str:
    """With the first of these bytes, in hex, in place of others."""
    der = base64.b64decode("".join(certificate.splitlines()[1:-1])).hex()
    assert old in der
    body = base64.b64encode(bytes.fromhex(der.replace(old, new, 1))).decode()
    return f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----"


def _renamed(name: object) -> Change:
    return _people(PAULA | {"name": name}, DORA | {"name": "dora"}, DIRK, RITA)


def _private(**changes: object) -> Change:
    return put(
        {"result": {"type": "u32", "privacy": _PRIVACY | changes}, "streaming_order": [2, 2]}
    )


DOCUMENTS: Final[Mapping[str, Change]] = {
    "honest": _same,
    "names": _renamed("Paula B. (1)"),
    "a name in another script": _renamed("Παύλα"),
    "a name of marks": _renamed("e\u0301"),
    "a name that ends in a space": _renamed("paula "),
    "nobody's name": _renamed("Client 3"),
    "a name twice": _renamed("dora"),
    "a name that is a number": _renamed(1),
    "an id twice": _people(PAULA, DORA, DIRK, RITA | {"id": 1}),
    "a certificate twice": _people(PAULA, DORA, DIRK, RITA | {"certificate": DORA["certificate"]}),
    "two programs": _people(PAULA, DORA, DIRK, RITA | {"roles": ["ResultReader", "PiProvider"]}),
    "no program": _people(DORA, DIRK, RITA),
    "no reader": _people(PAULA, DORA, DIRK),
    "no role": _people(*_PEOPLE, identity(8, "dan")),
    "another role": _people(*_PEOPLE, identity(8, "dan", "Spectator")),
    "a role twice": _people(PAULA, DORA, DIRK, RITA | {"roles": ["ResultReader"] * 2}),
    "no certificate": _people(PAULA, DORA, DIRK, RITA | {"certificate": "rita"}),
    "a damaged certificate": _people(
        PAULA, DORA, DIRK, RITA | {"certificate": _altered(RITA["certificate"])}
    ),
    "a certificate of two algorithms": _people(
        PAULA,
        DORA,
        DIRK,
        RITA
        | {"certificate": _changed(RITA["certificate"], "2a8648ce3d040302", "2a8648ce3d040303")},
    ),
    "a key on a curve that nobody knows": _people(
        PAULA,
        DORA,
        DIRK,
        RITA
        | {"certificate": _changed(RITA["certificate"], "2a8648ce3d030107", "2a8648ce3d030199")},
    ),
    "a certificate with a part that is too long": _people(
        PAULA,
        DORA,
        DIRK,
        RITA | {"certificate": _changed(RITA["certificate"], "0603550403", "0673550403")},
    ),
    "text around a certificate": _people(
        PAULA, DORA, DIRK, RITA | {"certificate": RITA["certificate"] + "\n"}
    ),
    "an order of strangers": put({"data_provision_order": [1, 9]}),
    "an order of readers": put({"data_provision_order": [1, 7]}),
    "streams of who gives none": put({"streaming_order": [2, 0]}),
    "an unknown field": put({"comment": "none"}),
    "a missing field": drop("debug"),
    "a version of the future": put({"policy_version": 2}),
    "a version that is true": put({"policy_version": True}),
    "a version that is a float": put({"policy_version": 1.0}),
    "an id that is a float": _people(PAULA | {"id": 0.0}, DORA, DIRK, RITA),
    "an id beyond 32 bits": _people(PAULA | {"id": 1 << 32}, DORA, DIRK, RITA),
    "an address without a port": put({"sinaloa_url": "127.0.0.1"}),
    "an address beyond ports": put({"sinaloa_url": "127.0.0.1:65536"}),
    "port 0": put({"sinaloa_url": "127.0.0.1:0"}),
    "an address of five": put({"tabasco_url": "127.0.0.1.1:80"}),
    "a name for an address": put({"tabasco_url": "tabasco.example:3010"}),
    "IPv6": put({"tabasco_url": "[2001:db8::1]:3010"}),
    "IPv6 of nine": put({"tabasco_url": "[1:2:3:4:5:6:7:8:9]:3010"}),
    "brackets around IPv4": put({"tabasco_url": "[127.0.0.1]:3010"}),
    "a suite of 2021": put({"ciphersuite": "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"}),
    "the 31st of February": put({"expires_at": "2026-02-31T00:00:00Z"}),
    "the year 0": put({"expires_at": "0000-01-01T00:00:00Z"}),
    "hour 24": put({"expires_at": "2030-01-01T24:00:00Z"}),
    "a leap second": put({"expires_at": "2030-12-31T23:59:60Z"}),
    "long ago": put({"expires_at": "1999-12-31T23:59:59Z"}),
    "no platform": put({"platforms": []}),
    "a platform twice": put(
        {"platforms": [{"name": LINUX_SOFTWARE, "measurements": [MEASUREMENT.hex()]}] * 2}
    ),
    "another platform": put({"platforms": [{"name": "nitro", "measurements": ["00" * 48]}]}),
    "another measurement": put(
        {"platforms": [{"name": LINUX_SOFTWARE, "measurements": ["00" * 32]}]}
    ),
    "one of two measurements": put(
        {"platforms": [{"name": LINUX_SOFTWARE, "measurements": ["0" * 64, MEASUREMENT.hex()]}]}
    ),
    "a measurement in capitals": put(
        {"platforms": [{"name": LINUX_SOFTWARE, "measurements": [MEASUREMENT.hex().upper()]}]}
    ),
    "a measurement of 31 bytes": put(
        {"platforms": [{"name": LINUX_SOFTWARE, "measurements": ["00" * 31]}]}
    ),
    "isolation twice": put({"isolation": ["seccomp", "seccomp"]}),
    "isolation that is none": put({"isolation": ["moat"]}),
    "no isolation": put({"isolation": []}),
    "isolation that is not there": put({"isolation": ["separate-user"]}),
    "a limit too small": put({"limits": {"stack_bytes": 1}}),
    "the largest fuel": put({"limits": {"fuel": (1 << 63) - 1}}),
    "more than the largest fuel": put({"limits": {"fuel": 1 << 63}}),
    "an unknown limit": put({"limits": {"patience": 1}}),
    "0 rounds": put({"rounds": 0}),
    "null rounds": put({"rounds": None}),
    "consent of all": put({"consent": "all"}),
    "consent by number": put({"consent": [0, 7]}),
    "consent of strangers": put({"consent": [9]}),
    "consent of somebody twice": put({"consent": [7, 7]}),
    "consent of nobody": put({"consent": []}),
    "consent of three of two": put({"consent": {"least": 3, "of": [0, 7]}}),
    "consent of two of two": put({"consent": {"least": 2, "of": [0, 7]}}),
    "the next round by who reads nothing": put({"next_round": [0]}),
    "inputs by name": put({"inputs": [{"name": "one"}, {"name": "two"}]}),
    "inputs of one name": put({"inputs": [{"name": "one"}, {"name": "one"}]}),
    "one input for two": put({"inputs": [{"name": "one"}]}),
    "a type with a tab": put({"result": {"type": "u32\t"}}),
    "three contributors of two": put({"result": {"contributors": 3}}),
    "deterministic": put({"deterministic": True}),
    "debug": put({"debug": True}),
    "privacy that is deterministic": lambda honest: _private()(honest) | {"deterministic": True},
    "privacy and debug": lambda honest: _private()(honest) | {"debug": True},
    "privacy without an epsilon": _private(epsilon="0"),
    "privacy beyond its budget": _private(epsilon="2"),
    "Laplace noise with a delta": _private(delta="1e-6", total_delta="1e-5"),
    "Gaussian noise without one": _private(mechanism="gaussian"),
    "more decimals than are told": _private(epsilon="0.000000000000000001e-30"),
    "a number that is none": _private(epsilon="half"),
}
"""What a policy says, all of it attested."""

POLICIES: Final[Mapping[str, Change]] = {
    "a field twice": replaced(b'"debug": false', b'"debug": false, "debug": false'),
    "a field twice, once escaped": replaced(
        b'"debug": false', b'"debug": false, "\\u0064ebug": false'
    ),
    "white space": lambda honest: b" \n" + honest + b"\t\r\n",
    "something behind it": lambda honest: honest + b"{}",
    "a mark before it": lambda honest: b"\xef\xbb\xbf" + honest,
    "a comma too many": replaced(b'"debug": false', b'"debug": false,'),
    "half a letter": replaced(b'"JIT"', b'"JIT", "x": "\\ud800"'),
    "NaN": replaced(b'"debug": false', b'"debug": NaN'),
    "not UTF-8": replaced(b"127.0.0.1", b"\xff"),
    "a line end in a text": replaced(b"127.0.0.1", b"127.0.0\n.1"),
    "an array": lambda honest: b"[" + honest + b"]",
    "deep": lambda honest: honest[:-1] + b', "x": ' + b"[" * 16 + b"]" * 16 + b"}",
    "an integer of 21 digits": replaced(b'"id": 7', b'"id": ' + b"7" * 21),
    "a number with a leading 0": replaced(b'"id": 7', b'"id": 07'),
    "a number beyond f64": replaced(b'"debug": false', b'"debug": 1e999'),
}
"""How its text is written."""

TOKENS: Final[Mapping[str, Change]] = {
    "debugging": put({2395: 0x4000}),
    "secured, in the maker's own way": put({2395: 0x30FF}),
    "no state": put({2395: 0x3100}),
    "a state of 17 bits": put({2395: 0x13000}),
    "client 0": put({2394: 0}),
    "client true": put({2394: True}),
    "another challenge": put({10: b"d" * 32}),
    "two challenges": put({10: [CHALLENGE, CHALLENGE]}),
    "a short challenge": put({10: b"c" * 31}),
    "another profile": put({265: "http://arm.com/psa/2.0.0"}),
    "keys of two profiles": put({-75008: CHALLENGE}),
    "a claim nobody knows": put({-99999: cbor2.CBORTag(5, [1])}),
    "a boot seed": put({268: b"b" * 8}),
    "a short boot seed": put({268: b"b" * 7}),
    "a reference": put({2398: "0123456789012-12345"}),
    "a reference of another form": put({2398: "0123456789012"}),
    "an instance of another type": put({256: b"\x02" + bytes(32)}),
    "a short instance": put({256: b"\x01" + bytes(31)}),
    "no component": put({2399: []}),
    "two components": put({2399: [_COMPONENT, _COMPONENT]}),
    "a component of another type": put({2399: [_COMPONENT | {1: "PRoT"}]}),
    "a component without a version": put({2399: [drop(4)(_COMPONENT)]}),
    "a component without a signer": put({2399: [drop(5)(_COMPONENT)]}),
    "another measurement": put({2399: [_COMPONENT | {2: b"m" * 32}]}),
    "a measurement of 48 bytes": put({2399: [_COMPONENT | {2: b"m" * 48}]}),
    "another platform": put({-76000: "nitro"}),
    "no platform": drop(-76000),
    "another implementation": put({2396: bytes(32)}),
    "another certificate": put({-76001: bytes(32)}),
    "no certificate": drop(-76001),
    "another policy": put({-76002: bytes(32)}),
    "no isolation": drop(-76003),
    "isolation out of order": put({-76003: sorted(RUNTIME_LAYERS, reverse=True)}),
    "isolation that nobody knows": put({-76003: ["moat"]}),
    "more isolation": put({-76003: sorted([*RUNTIME_LAYERS, "separate-user"])}),
}
"""What the root attester signs, and Tabasco affirms."""

RESULTS: Final[Mapping[str, Change]] = {
    "a warning": put({266: {"runtime": {1000: 32}}}),
    "one part of two": put({266: {"runtime": {1000: 2}, "machine": {1000: 96}}}),
    "two parts": put({266: {"runtime": {1000: 2}, "machine": {1000: 2}}}),
    "no part": put({266: {}}),
    "no tier": put({266: {"runtime": {1000: 3}}}),
    "a tier that is true": put({266: {"runtime": {1000: True}}}),
    "better than its claims": put({266: {"runtime": {1000: 2, 1001: {2: 33}}}}),
    "as good as its claims": put({266: {"runtime": {1000: 2, 1001: {0: 2, 2: -32}}}}),
    "no claims": put({266: {"runtime": {1000: 2, 1001: {}}}}),
    "a ninth claim": put({266: {"runtime": {1000: 2, 1001: {8: 2}}}}),
    "policies": put({266: {"runtime": {1000: 2, 1003: ["one", "two"]}}}),
    "a policy in no list": put({266: {"runtime": {1000: 2, 1003: "one"}}}),
    "another challenge": put({10: b"d" * 32}),
    "no challenge": drop(10),
    "two challenges": put({10: [CHALLENGE]}),
    "no evidence": drop(1002),
    "other evidence": put({1002: b"token"}),
    "another profile": put({265: "tag:github.com,2023:veraison/ear"}),
    "no end": drop(4),
    "an end before the beginning": lambda honest: honest | {4: honest[6]},
    "ended": put({6: 1_000_000_000, 4: 1_000_000_300}),
    "of the future": put({6: 4_000_000_000, 4: 4_000_000_300}),
    "not before the future": put({5: 4_000_000_000}),
    "a time that is a float": lambda honest: honest | {6: float(honest[6])},
    "no verifier": drop(1004),
    "a verifier of 257 characters": put({1004: {0: "v" * 257, 1: ""}}),
    "a claim nobody knows": put({99999: 1.5}),
    "a key that is a float": put({1.5: 1}),
}
"""What Tabasco signs."""

_REGISTERS = {"pcr0": bytes(32), "pcr4": b"\x44" * 32, "pcr11": b"\x11" * 32}
_PINNED = {"pcr4": ["00" * 32, "44" * 32], "pcr11": ["11" * 32]}


def _on_tpm(pinned: object, told: object, *, platform: str = "tpm", **parts: object) -> Forger:
    """An isolate on a platform whose registers the policy pins so, and the result tells so."""
    entry = {"name": platform, "measurements": [MEASUREMENT.hex()], "machine": pinned}
    implementation = hashlib.sha256(f"veracruz-platform:{platform}".encode()).digest()
    part = {1000: 2} if told is None else {1000: 2, -76004: told}
    return Forger(
        document=put({"platforms": [entry]}),
        token=put({-76000: platform, 2396: implementation}),
        result=put({266: {"runtime": part, **parts}}),
    )


MACHINES: Final[Mapping[str, Forger]] = {
    "as pinned": _on_tpm(_PINNED, _REGISTERS),
    "pinned in capitals": _on_tpm({"pcr4": ["AB" * 32]}, {"pcr4": b"\xab" * 32}),
    "another value": _on_tpm(_PINNED, _REGISTERS | {"pcr11": bytes(32)}),
    "a longer value": _on_tpm(_PINNED, _REGISTERS | {"pcr11": b"\x11" * 48}),
    "values that changed places": _on_tpm({"pcr4": ["11" * 32], "pcr11": ["44" * 32]}, _REGISTERS),
    "a register that is not told": _on_tpm({"pcr5": ["44" * 32]}, _REGISTERS),
    "nothing told": _on_tpm(_PINNED, None),
    "nothing in what is told": _on_tpm(_PINNED, {}),
    "told of two parts": _on_tpm(_PINNED, _REGISTERS, other={1000: 2, -76004: _REGISTERS}),
    "told of one part of two": _on_tpm(_PINNED, _REGISTERS, other={1000: 2}),
    "told in a list": _on_tpm(_PINNED, [_REGISTERS]),
    "told as text": _on_tpm(_PINNED, {name: each.hex() for name, each in _REGISTERS.items()}),
    "a value of 31 bytes": _on_tpm(_PINNED, _REGISTERS | {"pcr0": bytes(31)}),
    "a name that is a number": _on_tpm(_PINNED, {**_REGISTERS, 4: bytes(32)}),
    "a name of 33 letters": _on_tpm(_PINNED, {**_REGISTERS, "p" * 33: bytes(32)}),
    "a name with a line end": _on_tpm(_PINNED, {**_REGISTERS, "pcr\n4": bytes(32)}),
    "an empty name": _on_tpm(_PINNED, {**_REGISTERS, "": bytes(32)}),
    "33 registers": _on_tpm(_PINNED, _REGISTERS | {f"r{each}": bytes(32) for each in range(30)}),
    "pinned to nothing": _on_tpm({}, _REGISTERS),
    "a register pinned to nothing": _on_tpm({"pcr4": []}, _REGISTERS),
    "an unknown register": _on_tpm({"pcr24": ["00" * 32]}, {"pcr24": bytes(32)}),
    "a register of another platform": _on_tpm({"mrtd": ["00" * 48]}, {"mrtd": bytes(48)}),
    "a value of another bank": _on_tpm({"pcr4": ["00" * 48]}, {"pcr4": bytes(48)}),
    "pinned in no list": _on_tpm({"pcr4": "44" * 32}, _REGISTERS),
    "pinned to null": _on_tpm(None, _REGISTERS),
    "Nitro": _on_tpm({"pcr0": ["44" * 48]}, {"pcr0": b"\x44" * 48}, platform="nitro"),
    "a platform without registers": _on_tpm(
        {"pcr0": ["44" * 48]}, {"pcr0": b"\x44" * 48}, platform="sgx"
    ),
}
"""What hardware measured of a machine, and what the policy says of it."""

DETAILED: Final[Mapping[str, Mapping[int, object]]] = {
    "the same": {0: 0, 1: b"o" * 32, 2: 7},
    "an error code": {0: 1, 2: 7},
    "no duration": {0: 0, 1: b"o" * 32},
    "no result": {0: 0, 2: 7},
    "none": {},
    "a short digest": {0: 0, 1: b"o" * 31, 2: 7},
    "a code of 33 bits": {0: 1 << 32, 2: 7},
    "fuel": {0: 0, 2: 7, 3: 2**64 - 1},
    "more": {0: 0, 2: 7, 4: 0},
}
"""What the isolate tells readers alone."""

RECEIPTS: Final[Mapping[str, Change]] = {
    "a format of the future": put({0: "veracruz-receipt-v3"}),
    "another policy": put({1: bytes(32)}),
    "another program": put({2: bytes(32)}),
    "number 0": put({3: 0}),
    "number 2 of none": put({3: 2}),
    "number 2": put({3: 2, 4: bytes(32)}),
    "the first after another": put({4: bytes(32)}),
    "round 0": put({5: 0}),
    "an attempt that is true": put({6: True}),
    "no input": put({7: []}),
    "inputs in another order": lambda honest: honest | {7: honest[7][::-1]},
    "inputs of another": lambda honest: honest | {7: [[9, *honest[7][0][1:]], *honest[7][1:]]},
    "an input of five": lambda honest: honest | {7: [[*honest[7][0], 0], *honest[7][1:]]},
    "an input of a third kind": put({7: [[1, 0, 2, bytes(32)]]}),
    "another end": put({8: 1}),
    "an end that nobody knows": put({8: 6}),
    "no details": drop(9),
    "other details": put({9: bytes(32)}),
    "more readers": put({10: [1, 7]}),
    "another strategy": put({11: "Interpretation"}),
    "a strategy with a line end": put({11: "JIT\n"}),
    "an engine of 65 characters": put({12: "e" * 65}),
    "debug": put({13: True}),
    "debug that is a number": put({13: 0}),
    "fewer layers": put({14: ["seccomp"]}),
    "more layers": lambda honest: honest | {14: [*honest[14], "moat"]},
    "another measurement": put({15: bytes(32)}),
    "a seed": put({16: bytes(32)}),
    "a short seed": put({16: bytes(31)}),
    "a budget": put({17: {0: "1", 1: "0", 2: "0", 3: "0"}}),
    "half a budget": put({17: {0: "1", 1: "0"}}),
    "an empty budget": put({17: {0: "", 1: "0", 2: "0", 3: "0"}}),
    "the end of time": put({18: 2**64 - 1}),
    "a time before 1970": put({18: -1}),
    "bits of NaNs that are true": put({19: True}),
    "bits of NaNs that are nobody's": drop(19),
    "a field that nobody knows": put({20: 0}),
    "a field by name": put({"more": 0}),
    "a null": put({16: None}),
}
"""What the isolate signs."""

_X5CHAIN: Final = 33
HEADERS: Final[Mapping[str, Change]] = {
    "no type": drop(3),
    "another type": put({3: "text/plain"}),
    "another issuer": put({15: {1: "ni:///sha-256;AAAA", 2: "ni:///sha-256;AAAA"}}),
    "more": put({4: b"key"}),
    "a critical parameter": put({2: [3]}),
    "a critical parameter that nobody knows": put({2: [99], 99: 0}),
    "ESP256": put({1: -9}),
    "ES384": put({1: -35}),
    "no algorithm": drop(1),
}
UNPROTECTED: Final[Mapping[str, Change]] = {
    "closed": drop(DETAILS),
    "no certificate": drop(_X5CHAIN),
    "two certificates": lambda honest: honest | {_X5CHAIN: [honest[_X5CHAIN]] * 2},
    "another certificate": put(
        {
            _X5CHAIN: make_certificate(
                name="isolate", not_before=now() - DAY, not_after=now() + DAY
            ).certificate
        }
    ),
    "more": put({"note": 1}),
    "an algorithm": put({1: -7}),
    "details under another salt": lambda honest: (
        honest | {DETAILS: [bytes(32), honest[DETAILS][1]]}
    ),
    "details without a salt": lambda honest: honest | {DETAILS: honest[DETAILS][1:]},
    "other details": lambda honest: (
        honest | {DETAILS: [honest[DETAILS][0], cbor2.dumps({0: 0, 1: bytes(32), 2: 7})]}
    ),
}


def forged_bundles() -> dict[str, bytes]:
    """All of them by what is the matter with them; some are harmless, and hold."""
    made: dict[str, bytes] = {}
    for field, changes in (
        ("document", DOCUMENTS),
        ("policy", POLICIES),
        ("token", TOKENS),
        ("result", RESULTS),
        ("receipt", RECEIPTS),
        ("header", HEADERS),
        ("unprotected", UNPROTECTED),
    ):
        for name, change in changes.items():
            made[f"{field}: {name}"] = Forger(**{field: change}).bundle()
    for name, forger in MACHINES.items():
        made[f"machine: {name}"] = forger.bundle()
    for name, details in DETAILED.items():
        made[f"details: {name}"] = Forger(details=details).bundle()
    return made
