"""Makes the vectors in this folder; needs `cbor2` and `cryptography`, and none of our own code.

    python tests/vectors/psa_attestation/make_vectors.py [FOLDER]

Keys are derived from fixed numbers and signatures are deterministic (RFC 6979), so that every run
gives the same bytes; a test compares them with what is checked in.
"""

import base64
import datetime as dt
import hashlib
import hmac
import json
import sys
from pathlib import Path

import cbor2
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

HERE = Path(__file__).parent
CHALLENGE = bytes(range(32))
RESULT_NONCE = bytes(range(100, 132))
ISSUED = 1_790_000_000
RFC9783 = "tag:psacertified.org,2023:psa#tfm"

P256 = ec.derive_private_key(0x5EED01, ec.SECP256R1())
P384 = ec.derive_private_key(0x5EED02, ec.SECP384R1())
ATTACKER = ec.derive_private_key(0x5EED03, ec.SECP256R1())
MAC_KEY = bytes(range(200, 232))
ALGORITHMS = {
    "secp256r1": (-7, hashes.SHA256(), 32),
    "secp384r1": (-35, hashes.SHA384(), 48),
}


def instance_id(key):
    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return b"\x01" + hashlib.sha256(point).digest()


MAC_INSTANCE = b"\x01" + hashlib.sha256(hashlib.sha256(MAC_KEY).digest()).digest()


def sign1(payload, key=P256, protected=None, unprotected=None, tag=18):
    alg, algorithm, size = ALGORITHMS[key.curve.name]
    header = cbor2.dumps({1: alg}) if protected is None else protected
    data = cbor2.dumps(["Signature1", header, b"", payload])
    der = key.sign(data, ec.ECDSA(algorithm, deterministic_signing=True))
    signature = b"".join(part.to_bytes(size, "big") for part in decode_dss_signature(der))
    return cbor2.dumps(cbor2.CBORTag(tag, [header, unprotected or {}, payload, signature]))


def mac0(payload):
    header = cbor2.dumps({1: 5})
    tag = hmac.digest(MAC_KEY, cbor2.dumps(["MAC0", header, b"", payload]), "sha256")
    return cbor2.dumps(cbor2.CBORTag(17, [header, {}, payload, tag]))


def claims(**changes):
    members = {
        "profile": (265, RFC9783),
        "nonce": (10, CHALLENGE),
        "client_id": (2394, 1),
        "instance_id": (256, instance_id(P256)),
        "implementation_id": (2396, hashlib.sha256(b"veracruz-platform:example").digest()),
        "lifecycle": (2395, 0x3000),
        "components": (2399, [{1: "ARoT", 2: b"\x11" * 32, 4: "0.1.0", 5: b"\x22" * 32}]),
    } | changes
    return cbor2.dumps(dict(member for member in members.values() if member is not None))


def legacy(**changes):
    members = {
        "profile": (-75000, "PSA_IOT_PROFILE_1"),
        "nonce": (-75008, CHALLENGE),
        "client_id": (-75001, -1),
        "instance_id": (-75009, instance_id(P256)),
        "implementation_id": (-75003, b"\x33" * 32),
        "lifecycle": (-75002, 0x3000),
        "boot_seed": (-75004, b"\x44" * 32),
        "components": (-75006, [{2: b"\x11" * 32, 5: b"\x22" * 32}]),
    } | changes
    return cbor2.dumps(dict(member for member in members.values() if member is not None))


def tokens():
    """The tokens: file name, bytes, reason of the refusal (empty if none)."""
    whole = sign1(claims())
    duplicate = bytearray(claims())
    duplicate[0] += 1
    return [
        ("ok-es256.cbor", whole, ""),
        ("ok-es384.cbor", sign1(claims(instance_id=(256, instance_id(P384))), P384), ""),
        ("ok-hmac256.cbor", mac0(claims(instance_id=(256, MAC_INSTANCE))), ""),
        (
            "ok-runtime.cbor",
            sign1(
                claims(
                    platform=(-76000, "example"),
                    certificate=(-76001, b"\x55" * 32),
                    policy=(-76002, b"\x66" * 32),
                )
            ),
            "",
        ),
        ("ok-psa-2.0.0.cbor", sign1(claims(profile=(265, "http://arm.com/psa/2.0.0"))), ""),
        ("ok-profile-1.cbor", sign1(legacy()), ""),
        ("ok-profile-1-unnamed.cbor", sign1(legacy(profile=None)), ""),
        ("profile-1-without-boot-seed.cbor", sign1(legacy(boot_seed=None)), "missing-claim"),
        ("two-families-of-claims.cbor", sign1(claims(x=(-75008, CHALLENGE))), "mixed-profiles"),
        ("boot-seed-of-other-profile.cbor", sign1(claims(x=(2397, bytes(32)))), "mixed-profiles"),
        ("nonce-too-short.cbor", sign1(claims(nonce=(10, CHALLENGE[:31]))), "nonce-length"),
        ("client-id-is-true.cbor", sign1(claims(client_id=(2394, True))), "claim-type"),
        ("lifecycle-is-a-float.cbor", sign1(claims(lifecycle=(2395, 12288.0))), "claim-type"),
        (
            "nonce-twice.cbor",
            sign1(bytes(duplicate) + cbor2.dumps(10) + cbor2.dumps(CHALLENGE)),
            "duplicate-key",
        ),
        ("tag-61-around.cbor", b"\xd8\x3d" + whole, "cwt-tag-not-used"),
        ("no-tag.cbor", whole[1:], "missing-tag-18"),
        ("trailing-byte.cbor", whole + b"\x00", "trailing-bytes"),
        (
            "alg-unprotected.cbor",
            sign1(claims(), protected=b"", unprotected={1: -7}),
            "alg-not-protected",
        ),
        (
            "alg-in-both-buckets.cbor",
            sign1(claims(), unprotected={1: -7}),
            "label-in-both-buckets",
        ),
        ("other-key.cbor", sign1(claims(), ATTACKER), "signature"),
        (
            "not-registered.cbor",
            sign1(claims(instance_id=(256, instance_id(ATTACKER))), ATTACKER),
            "unknown-instance",
        ),
        ("other-challenge.cbor", sign1(claims(nonce=(10, bytes(32)))), "nonce-mismatch"),
        ("debug-state.cbor", sign1(claims(lifecycle=(2395, 0x4000))), "lifecycle-untrusted"),
    ]


def ear(appraisal=None, **changes):
    members = {
        "profile": (265, "tag:ietf.org,2026:rats/ear#03"),
        "iat": (6, ISSUED),
        "exp": (4, ISSUED + 300),
        "nonce": (10, RESULT_NONCE),
        "verifier": (1004, {0: "https://verifier.example", 1: "tabasco 0.1.0"}),
        "submods": (266, {"sonora": appraisal or {1000: 2, 1001: {0: 2, 2: 3}, 1003: ["p"]}}),
    } | changes
    return cbor2.dumps(dict(member for member in members.values() if member is not None))


def results():
    """The attestation results, read at `ISSUED` + 100 s."""
    return [
        ("ok-ear.cbor", sign1(ear()), ""),
        ("ok-ear-contraindicated.cbor", sign1(ear({1000: 96, 1001: {2: 33}})), ""),
        ("ear-better-than-vector.cbor", sign1(ear({1000: 2, 1001: {2: 33}})),
         "status-better-than-vector"),
        ("ear-float-iat.cbor", sign1(ear(iat=(6, float(ISSUED)))), "claim-type"),
        ("ear-expired.cbor", sign1(ear(exp=(4, ISSUED + 100))), "expired"),
        ("ear-of-the-future.cbor", sign1(ear(iat=(6, ISSUED + 101))), "not-yet-valid"),
        ("ear-without-submods.cbor", sign1(ear(submods=(266, {}))), "submods-empty"),
        ("ear-of-older-profile.cbor",
         sign1(ear(profile=(265, "tag:github.com,2023:veraison/ear"))), "profile-not-allowed"),
        ("ear-other-key.cbor", sign1(ear(), ATTACKER), "signature"),
    ]  # fmt: skip


def certificate(key):
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "isolate.example")])
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 7, start, start.replace(2036))
    made = builder.sign(key, hashes.SHA256(), ecdsa_deterministic=True)
    return made.public_bytes(Encoding.DER)


def statement(certificate, policy, **changes):
    """The protected header of a Signed Statement: RFC 9943 section 6."""
    digest = hashlib.sha256(certificate).digest()
    members = {
        "alg": (1, -7),
        "content_type": (3, "application/vnd.veracruz.receipt+cbor"),
        "claims": (15, {1: named(digest), 2: named(policy)}),
        "x5t": (34, [-16, digest]),
    } | changes
    return cbor2.dumps(dict(member for member in members.values() if member is not None))


def named(digest):
    return "ni:///sha-256;" + base64.urlsafe_b64encode(digest).decode().rstrip("=")


def receipts():
    """The receipts, read with the digest of P256's certificate."""
    first = {
        0: "veracruz-receipt-v1", 1: b"\x01" * 32, 2: b"\x02" * 32,
        3: [[1, 0, 0, b"\x03" * 32], [2, 1, 1, b"\x04" * 32]], 4: b"\x05" * 32,
        5: 0, 6: 1, 7: "JIT", 8: "wasmtime 50.0.1", 9: 12, 10: 34_567,
    }  # fmt: skip
    salt, none = b"s" * 32, cbor2.dumps({})
    details = cbor2.dumps({0: 0, 1: b"\x05" * 32, 2: 12, 3: 34_567})
    members = {
        0: "veracruz-receipt-v2", 1: b"\x01" * 32, 2: b"\x02" * 32, 3: 2, 4: b"\x06" * 32,
        5: 1, 6: 2, 7: [[1, 0, 0, b"\x03" * 32], [2, 1, 1, b"\x04" * 32]], 8: 0,
        9: run_details(salt, details), 10: [3], 11: "JIT", 12: "wasmtime 50.0.1", 13: False,
        14: ["landlock", "seccomp"], 15: b"\x07" * 32, 16: b"\x08" * 32,
        17: {0: "0.5", 1: "1.5", 2: "0", 3: "0"}, 18: ISSUED,
    }  # fmt: skip
    trapped = members | {8: 1, 9: run_details(salt, none)}
    own, other = certificate(P256), certificate(ATTACKER)
    header = statement(own, b"\x01" * 32)

    def receipt(content=members, key=P256, protected=header, chain=own, disclosed=(salt, details)):
        opened = {} if disclosed is None else {"veracruz-details": list(disclosed)}
        return sign1(cbor2.dumps(content), key, protected, {33: chain} | opened)

    return [
        ("ok-receipt.cbor", receipt(), ""),
        ("ok-receipt-closed.cbor", receipt(disclosed=None), ""),
        ("ok-receipt-of-a-failed-run.cbor", receipt(trapped, disclosed=(salt, none)), ""),
        ("ok-receipt-of-the-processors-nans.cbor", receipt(members | {19: False}), ""),
        ("ok-receipt-version-1.cbor", sign1(cbor2.dumps(first), unprotected={33: own}), ""),
        ("receipt-other-certificate.cbor", receipt(key=ATTACKER, chain=other),
         "certificate-mismatch"),
        ("receipt-other-key.cbor", receipt(key=ATTACKER), "signature"),
        ("receipt-unknown-field.cbor", receipt(members | {20: 0}), "claim-value"),
        ("receipt-of-canonical-nans-that-says-so.cbor", receipt(members | {19: True}),
         "claim-value"),
        ("receipt-details-of-another-salt.cbor", receipt(disclosed=(b"t" * 32, details)),
         "claim-value"),
        ("receipt-result-of-a-failed-run.cbor", receipt(members | {8: 1}), "claim-value"),
        ("receipt-second-without-a-first.cbor",
         receipt({key: member for key, member in members.items() if key != 4}), "claim-value"),
        ("receipt-header-of-another-policy.cbor",
         receipt(protected=statement(own, b"\x02" * 32)), "claim-value"),
        ("receipt-header-without-x5t.cbor",
         receipt(protected=statement(own, b"\x01" * 32, x5t=None)), "claim-value"),
        ("receipt-version-2-in-the-header-of-1.cbor",
         sign1(cbor2.dumps(members), unprotected={33: own}), "claim-value"),
    ]  # fmt: skip


def run_details(salt, details):
    """The commitment to the details of a run."""
    parts = (b"veracruz-run-details-v1", salt, details)
    return hashlib.sha256(b"".join(len(part).to_bytes(8, "big") + part for part in parts)).digest()


def main(folder):
    """Writes every vector and `expected.json` into `folder`."""
    kinds = {"tokens": tokens(), "results": results(), "receipts": receipts()}
    for name, data, _ in (vector for vectors in kinds.values() for vector in vectors):
        (folder / name).write_bytes(data)
    expected = {
        "challenge": CHALLENGE.hex(),
        "result_nonce": RESULT_NONCE.hex(),
        "at": ISSUED + 100,
        "certificate_digest": hashlib.sha256(certificate(P256)).hexdigest(),
        "mac_instance": {"instance_id": MAC_INSTANCE.hex(), "key": MAC_KEY.hex()},
        "instances": [
            {
                "instance_id": instance_id(key).hex(),
                "public_key": key.public_key()
                .public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
                .hex(),
            }
            for key in (P256, P384)
        ],
    } | {
        kind: [{"file": name, "reason": reason} for name, _, reason in vectors]
        for kind, vectors in kinds.items()
    }
    (folder / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
