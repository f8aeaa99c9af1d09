"""What a good policy says, in both formats."""

import hashlib
import json
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from support.policies import (
    NOW,
    PROGRAM_DIGEST,
    certificate,
    current_document,
    document_2021,
    key_of,
    pem,
    public_key_der,
    rsa_key_of,
    text,
)
from veracruz_utils.policy import (
    LINUX_SOFTWARE,
    RUNTIME_LAYERS,
    IsolationLayer,
    Limits,
    Policy,
    PolicyFormat,
    Role,
    Strategy,
    TlsVersion,
)

ED25519_KEY = Ed25519PrivateKey.generate()
FORMATS = pytest.mark.parametrize("document", [current_document(), document_2021()])


def parse(document: object) -> Policy:
    return Policy.parse(text(document), at=NOW)


@FORMATS
def test_the_digest_is_over_the_exact_text(document):
    compact, spread = text(document), json.dumps(document, indent=1).encode()
    one, two = (Policy.parse(raw, at=NOW) for raw in (compact, spread))
    assert one.raw == compact
    assert one.digest.value == hashlib.sha256(compact).digest()
    assert one.digest != two.digest
    assert one.identities == two.identities


@FORMATS
def test_both_formats_say_the_same_of_the_principals(document):
    policy = parse(document)
    assert [identity.client_id for identity in policy.identities] == [0, 1, 2, 7]
    assert policy.identities[0].certificate == certificate("paula")
    assert policy.identities[2].roles == {Role.DATA_PROVIDER, Role.STREAM_PROVIDER}
    assert policy.data_provision_order == (1, 2)
    assert policy.streaming_order == (2, 2)
    assert policy.result_readers == {7}
    assert (policy.sinaloa.host, policy.sinaloa.port) == ("127.0.0.1", 3017)
    assert str(policy.tabasco) == "127.0.0.1:3010"
    assert str(policy.program_digest) == PROGRAM_DIGEST
    assert policy.debug is False


def test_the_current_format_gives_all_its_fields():
    policy = parse(
        current_document()
        | {
            "platforms": [
                {"name": LINUX_SOFTWARE, "measurements": ["5a" * 32, "6b" * 32]},
                {"name": "nitro", "measurements": ["7C" * 48]},
            ],
            "isolation": ["seccomp", "image-root"],
            "limits": {"run_seconds": 5, "fuel": 1000},
        }
    )
    assert policy.format is PolicyFormat.CURRENT
    assert policy.tabasco_key == public_key_der(key_of("tabasco"))
    assert policy.expires_at == datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert policy.ciphersuite.version is TlsVersion.TLS_1_3
    assert policy.ciphersuite.openssl_name == "TLS_AES_256_GCM_SHA384"
    assert policy.accepted(LINUX_SOFTWARE).measurements == {b"\x5a" * 32, b"\x6b" * 32}
    assert policy.accepted("nitro").measurements == {b"\x7c" * 48}
    assert policy.accepted("sgx") is None
    assert policy.strategy is Strategy.JIT
    assert policy.isolation == {IsolationLayer.SECCOMP, IsolationLayer.IMAGE_ROOT}
    assert policy.limits == Limits(run_seconds=5, fuel=1000)


def test_a_policy_that_says_nothing_of_isolation_asks_for_all_that_the_runtime_brings_about():
    assert parse(current_document()).isolation == RUNTIME_LAYERS
    assert parse(current_document() | {"isolation": []}).isolation == frozenset()


def test_a_policy_of_2021_asks_for_no_layer_and_cannot():
    assert parse(document_2021()).isolation == frozenset()
    assert parse(document_2021() | {"isolation": ["seccomp"]}).isolation == frozenset()


def test_the_format_of_2021_gives_all_its_fields():
    policy = parse(document_2021())
    assert policy.format is PolicyFormat.VERACRUZ_2021
    assert policy.tabasco_key is None
    assert policy.expires_at == datetime(2026, 12, 31, 23, 59, tzinfo=UTC)
    assert policy.ciphersuite.version is TlsVersion.TLS_1_2
    assert policy.ciphersuite.openssl_name == "ECDHE-ECDSA-CHACHA20-POLY1305"
    assert {platform.name: platform.measurements for platform in policy.platforms} == {
        "sgx": {b"\x11" * 32},
        "trustzone": {b"\x22" * 32},
        "nitro": {b"\x33" * 48},
        LINUX_SOFTWARE: {b"\x44" * 32},
    }
    assert policy.strategy is Strategy.INTERPRETATION
    assert policy.limits == Limits()


def test_the_format_of_2021_ignores_what_it_does_not_know():
    document = document_2021() | {"gas": 1.5, "mexico_city_hash_sgx": None}
    document["identities"][0]["nick"] = "p"
    document["enclave_cert_expiry"]["second"] = 30
    policy = parse(document)
    assert policy.expires_at.second == 0
    assert policy.accepted("sgx") is None


def test_a_principal_is_found_by_its_certificate_alone():
    policy = parse(current_document())
    assert policy.identity_of(certificate("rita")).client_id == 7
    assert policy.identity_of(certificate("rita") + b"\0") is None
    assert policy.identity_of(certificate("mallory")) is None
    assert policy.identities[3].digest.value == hashlib.sha256(certificate("rita")).digest()


@FORMATS
@pytest.mark.parametrize("spell", [lambda der: pem(der, width=64), lambda der: pem(der, width=1)])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_certificate_may_have_lines_of_any_length(document, spell, newline):
    document = json.loads(json.dumps(document))
    for entry in document["identities"]:
        entry["certificate"] = spell(certificate("x" + str(entry["id"]))).replace("\n", newline)
    policy = parse(document)
    assert policy.identity_of(certificate("x7")).client_id == 7


def test_certificates_with_other_keys_and_issuers_are_good_enough_for_principals():
    document = current_document()
    keys = [
        certificate("rsa", key=rsa_key_of("rsa")),
        certificate("issued", issuer="some ca", signed_by=key_of("some ca")),
        certificate("ed", key=ED25519_KEY),
    ]
    for entry, der in zip(document["identities"], keys, strict=False):
        entry["certificate"] = pem(der)
    assert [identity.certificate for identity in parse(document).identities[:3]] == keys


def test_no_input_is_needed_and_one_principal_can_do_everything():
    document = current_document() | {"data_provision_order": [], "streaming_order": []}
    document["identities"] = [document["identities"][0]]
    document["identities"][0]["roles"] = ["ResultReader", "PiProvider"]
    assert parse(document).result_readers == {0}


def test_the_time_needs_a_zone():
    with pytest.raises(ValueError, match="time zone"):
        Policy.parse(text(current_document()), at=datetime(2026, 6, 1))  # noqa: DTZ001


def test_the_time_may_be_told_in_any_zone():
    far = NOW.astimezone(datetime.strptime("+0900", "%z").tzinfo)
    assert Policy.parse(text(current_document()), at=far).digest


def test_parsing_imports_nothing_that_an_isolate_could_not_import_any_more():
    """An isolate parses its policy inside the sandbox, where no file can be opened."""
    document = current_document()
    document["identities"][0]["certificate"] = pem(certificate("rsa", key=rsa_key_of("rsa")))
    document["identities"][1]["certificate"] = pem(certificate("ed", key=ED25519_KEY))
    source = """
import sys
from datetime import datetime
from veracruz_utils.policy import Policy, PolicyError
before = set(sys.modules)
at = datetime.fromisoformat(sys.argv[1])
Policy.parse(sys.stdin.buffer.read(), at=at)
try:
    Policy.parse(b'{"a": nil}', at=at)
except PolicyError as error:
    str(error)
print(sorted(set(sys.modules) - before))
"""
    run = subprocess.run(
        [sys.executable, "-c", source, NOW.isoformat()],
        input=text(document),
        capture_output=True,
        check=True,
    )
    assert run.stdout.strip() == b"[]"
