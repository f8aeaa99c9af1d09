"""What is wrong with a policy, told by code and place."""

import copy
import json
from datetime import datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa

from support.policies import (
    DAY,
    NOW,
    certificate,
    current_document,
    document_2021,
    identity,
    key_of,
    pem,
    public_key_der,
    text,
)
from veracruz_utils.errors import RefusedError
from veracruz_utils.policy import Policy, PolicyError, PolicyErrorCode

BOTH = (current_document, document_2021)


def refusal_of(raw: bytes, at: datetime = NOW) -> PolicyError:
    with pytest.raises(PolicyError) as caught:
        Policy.parse(raw, at=at)
    return caught.value


def spoilt(make, path: tuple, value: object) -> bytes:
    """The text of a document with the value at `path` replaced; deleted if it is `...`."""
    document = copy.deepcopy(make())
    place = document
    for step in path[:-1]:
        place = place[step]
    if value is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return text(document)


@pytest.mark.parametrize("make", BOTH)
@pytest.mark.parametrize(
    ("path", "value", "code", "where"),
    [
        (("identities", 0, "certificate"), "", "certificate-format", "identities[0].certificate"),
        (("identities", 1, "id"), 0, "duplicated-client-id", "identities[1]"),
        (("identities", 1, "id"), -1, "invalid-value", "identities[1].id"),
        (("identities", 1, "id"), 1 << 32, "invalid-value", "identities[1].id"),
        (("identities", 1, "id"), 1.0, "invalid-value", "identities[1].id"),
        (("identities", 1, "id"), True, "invalid-value", "identities[1].id"),
        (("identities", 1, "id"), "1", "invalid-value", "identities[1].id"),
        (("identities", 1, "roles"), [], "empty-role", "identities[1]"),
        (("identities", 1, "roles"), ["King"], "invalid-value", "identities[1].roles[0]"),
        (("identities", 1, "roles"), ["dataProvider"], "invalid-value", "identities[1].roles[0]"),
        (("identities", 1, "roles"), ["PiProvider"], "several-program-providers", "identities[1]"),
        (("identities", 1, "roles"), ["ResultReader"], "data-provider", "data_provision_order[0]"),
        (("identities", 0, "roles"), ["DataProvider"], "no-program-provider", "identities"),
        (("identities", 3, "roles"), ["DataProvider"], "no-result-retriever", "identities"),
        (("identities",), [], "data-provider", "data_provision_order[0]"),
        (("identities",), {}, "invalid-value", "identities"),
        (
            ("identities", 2),
            identity(2, "dora", "DataProvider"),
            "duplicated-certificate",
            "identities[2]",
        ),
        (("data_provision_order",), [1, 3], "data-provider", "data_provision_order[1]"),
        (("data_provision_order",), [1, (1 << 32) + 1], "data-provider", "data_provision_order[1]"),
        (("data_provision_order",), [1, 0], "data-provider", "data_provision_order[1]"),
        (("data_provision_order",), [-1], "invalid-value", "data_provision_order[0]"),
        (("data_provision_order",), None, "invalid-value", "data_provision_order"),
        (("streaming_order",), [3], "data-provider", "streaming_order[0]"),
        (("streaming_order",), [1, 7], "data-provider", "streaming_order[1]"),
        (("debug",), 0, "invalid-value", "debug"),
        (("debug",), "false", "invalid-value", "debug"),
        (("execution_strategy",), "jit", "invalid-value", "execution_strategy"),
        (("ciphersuite",), "TLS_MADE_UP", "ciphersuite-unknown", "ciphersuite"),
        (("ciphersuite",), "", "ciphersuite-unknown", "ciphersuite"),
        (("ciphersuite",), "TLS13_AES_256_GCM_SHA384", "ciphersuite-unsupported", "ciphersuite"),
        (
            ("ciphersuite",),
            "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
            "ciphersuite-unsupported",
            "ciphersuite",
        ),
        (("sinaloa_url",), "http://127.0.0.1:3017", "url-invalid", "sinaloa_url"),
        (("sinaloa_url",), "127.0.0.1", "url-invalid", "sinaloa_url"),
        (("sinaloa_url",), "127.0.0.1:0", "url-invalid", "sinaloa_url"),
        (("tabasco_url",), "127.0.0.1:65536", "url-invalid", "tabasco_url"),
        (("tabasco_url",), "localhost:3010/", "url-invalid", "tabasco_url"),
        (("tabasco_url",), ":3010", "url-invalid", "tabasco_url"),
    ],
)
def test_both_formats_refuse(make, path, value, code, where):
    error = refusal_of(spoilt(make, path, value))
    assert (error.code, error.path) == (code, f"$.{where}")


@pytest.mark.parametrize(
    ("path", "value", "code", "where"),
    [
        (("policy_version",), 2, "unsupported-version", "policy_version"),
        (("policy_version",), True, "unsupported-version", "policy_version"),
        (("policy_version",), "1", "unsupported-version", "policy_version"),
        (("policy_version",), None, "unsupported-version", "policy_version"),
        (("identities", 0, "nick"), "p", "unknown-field", "identities[0]"),
        (("limits",), {"beer": 1}, "unknown-field", "limits"),
        (("limits",), None, "invalid-value", "limits"),
        (("isolation",), None, "invalid-value", "isolation"),
        (("isolation",), "seccomp", "invalid-value", "isolation"),
        (("isolation",), ["seccomp", "Landlock"], "invalid-value", "isolation[1]"),
        (("isolation",), ["seccomp", 7], "invalid-value", "isolation[1]"),
        (("isolation",), ["limits", "seccomp", "limits"], "invalid-value", "isolation[2]"),
        (("limits",), {"run_seconds": 0}, "limit-out-of-range", "limits.run_seconds"),
        (("limits",), {"run_seconds": None}, "invalid-value", "limits.run_seconds"),
        (("limits",), {"run_seconds": 1.5}, "invalid-value", "limits.run_seconds"),
        (("limits",), {"memory_bytes": (4 << 30) + 1}, "limit-out-of-range", "limits.memory_bytes"),
        (("limits",), {"stack_bytes": (1 << 16) - 1}, "limit-out-of-range", "limits.stack_bytes"),
        (("limits",), {"locals": 50_001}, "limit-out-of-range", "limits.locals"),
        (("limits",), {"fuel": -1}, "limit-out-of-range", "limits.fuel"),
        (("limits",), {"fuel": 1 << 63}, "limit-out-of-range", "limits.fuel"),
        (("platforms",), [], "missing-platform", "platforms"),
        (("platforms", 0, "measurements"), [], "missing-platform", "platforms[0].measurements"),
        (("platforms", 0, "measurements"), ["5a"], "invalid-value", "platforms[0].measurements[0]"),
        (
            ("platforms", 0, "measurements"),
            ["5a" * 31 + "5g"],
            "invalid-value",
            "platforms[0].measurements[0]",
        ),
        (
            ("platforms", 0, "measurements"),
            ["\u0663" * 64],
            "invalid-value",
            "platforms[0].measurements[0]",
        ),
        (("platforms", 0, "name"), "Linux Software", "invalid-value", "platforms[0].name"),
        (("platforms", 0, "name"), "a" * 65, "invalid-value", "platforms[0].name"),
        (("platforms", 0, "version"), "1", "unknown-field", "platforms[0]"),
        (("platforms", 0, "machine"), None, "invalid-value", "platforms[0].machine"),
        (("platforms", 0, "machine"), [], "invalid-value", "platforms[0].machine"),
        (("platforms", 0, "machine"), {}, "machine", "platforms[0].machine"),
        (("program_digest",), "AB" * 32, "invalid-value", "program_digest"),
        (("program_digest",), "ab" * 31, "invalid-value", "program_digest"),
        (("expires_at",), "2026-06-01T00:00:00Z", "enclave-expired", "expires_at"),
        (("expires_at",), "2026-02-30T00:00:00Z", "invalid-value", "expires_at"),
        (("expires_at",), "2030-01-01T00:00:00+01:00", "invalid-value", "expires_at"),
        (("expires_at",), "2030-01-01", "invalid-value", "expires_at"),
        (("expires_at",), "2030-1-1T00:00:00Z", "invalid-value", "expires_at"),
        (("expires_at",), "\u0662030-01-01T00:00:00Z", "invalid-value", "expires_at"),
        (("tabasco_key",), pem(certificate("paula")), "invalid-value", "tabasco_key"),
        (("tabasco_key",), pem(b"not a key", "PUBLIC KEY"), "invalid-value", "tabasco_key"),
        (
            ("tabasco_key",),
            pem(public_key_der(ec.generate_private_key(ec.SECP384R1())), "PUBLIC KEY"),
            "invalid-value",
            "tabasco_key",
        ),
        (
            ("ciphersuite",),
            "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
            "ciphersuite-unsupported",
            "ciphersuite",
        ),
    ],
)
def test_the_current_format_refuses(path, value, code, where):
    error = refusal_of(spoilt(current_document, path, value))
    assert (error.code, error.path) == (code, f"$.{where}")


@pytest.mark.parametrize(
    ("path", "value", "code", "where"),
    [
        (("pi_hash",), "AB" * 32, "invalid-value", "pi_hash"),
        (("mexico_city_hash_sgx",), "11" * 48, "invalid-value", "mexico_city_hash_sgx"),
        (("mexico_city_hash_nitro",), "11" * 32, "invalid-value", "mexico_city_hash_nitro"),
        (
            ("mexico_city_hash_linux_software",),
            7,
            "invalid-value",
            "mexico_city_hash_linux_software",
        ),
        (("ciphersuite",), "TLS_AES_256_GCM_SHA384", "ciphersuite-unsupported", "ciphersuite"),
        (("enclave_cert_expiry", "year"), 1992, "enclave-expired", "enclave_cert_expiry"),
        (("enclave_cert_expiry", "year"), -1, "invalid-value", "enclave_cert_expiry.year"),
        (("enclave_cert_expiry", "year"), 10000, "invalid-value", "enclave_cert_expiry"),
        (("enclave_cert_expiry", "year"), (1 << 32) - 1, "invalid-value", "enclave_cert_expiry"),
        (("enclave_cert_expiry", "month"), 13, "invalid-value", "enclave_cert_expiry"),
        (("enclave_cert_expiry", "month"), -1, "invalid-value", "enclave_cert_expiry.month"),
        (("enclave_cert_expiry", "month"), 256, "invalid-value", "enclave_cert_expiry.month"),
        (("enclave_cert_expiry", "day"), 32, "invalid-value", "enclave_cert_expiry"),
        (("enclave_cert_expiry", "day"), -1, "invalid-value", "enclave_cert_expiry.day"),
        (("enclave_cert_expiry", "hour"), 25, "invalid-value", "enclave_cert_expiry"),
        (("enclave_cert_expiry", "hour"), -1, "invalid-value", "enclave_cert_expiry.hour"),
        (("enclave_cert_expiry", "minute"), 62, "invalid-value", "enclave_cert_expiry"),
        (("enclave_cert_expiry", "minute"), -1, "invalid-value", "enclave_cert_expiry.minute"),
    ],
)
def test_the_format_of_2021_refuses(path, value, code, where):
    error = refusal_of(spoilt(document_2021, path, value))
    assert (error.code, error.path) == (code, f"$.{where}")


@pytest.mark.parametrize("make", BOTH)
def test_every_field_that_is_needed_is_missed(make):
    optional = {"limits", "policy_version"} | {name for name in make() if "mexico_city" in name}
    for name in make().keys() - optional:
        error = refusal_of(spoilt(make, (name,), ...))
        assert error.code is PolicyErrorCode.MISSING_FIELD
        assert repr(name) in str(error)
    for name in ("id", "certificate", "roles"):
        error = refusal_of(spoilt(make, ("identities", 1, name), ...))
        assert (error.code, error.path) == ("missing-field", "$.identities[1]")


def test_a_field_of_2021_is_unknown_to_the_current_format():
    error = refusal_of(text(current_document() | {"pi_hash": "00" * 32}))
    assert error.code is PolicyErrorCode.UNKNOWN_FIELD
    assert "pi_hash" in str(error)


def with_machine(machine, name="tpm"):
    platform = current_document()["platforms"][0] | {"name": name, "machine": machine}
    return text(current_document() | {"platforms": [platform]})


@pytest.mark.parametrize(
    ("machine", "code", "where"),
    [
        ({}, "machine", ""),
        ({"pcr4": []}, "machine", ""),
        ({"pcr4": ["11" * 32], "pcr5": []}, "machine", ""),
        ({"pcr24": ["11" * 32]}, "machine", ""),
        ({"PCR4": ["11" * 32]}, "machine", ""),
        ({"pcr04": ["11" * 32]}, "machine", ""),
        ({"mrtd": ["11" * 48]}, "machine", ""),
        ({"": ["11" * 32]}, "machine", ""),
        ({"pcr4": ["11" * 48]}, "invalid-value", ".pcr4[0]"),  # of another bank
        ({"pcr4": ["11" * 32, "1"]}, "invalid-value", ".pcr4[1]"),
        ({"pcr4": ["xy" * 32]}, "invalid-value", ".pcr4[0]"),
        ({"pcr4": "11" * 32}, "invalid-value", "[...]"),
        ({"pcr4": [bytes(32).hex(), None]}, "invalid-value", "[...][1]"),
    ],
)
def test_what_no_machine_can_have_measured_is_refused(machine, code, where):
    error = refusal_of(with_machine(machine))
    assert (error.code, error.path) == (code, f"$.platforms[0].machine{where}")


def test_a_register_that_is_not_known_is_told_with_those_that_are():
    error = refusal_of(with_machine({"rtmr4": ["11" * 48]}, "tdx"))
    assert error.detail == (
        "'rtmr4' is no register of tdx; they are mrtd, rtmr0, rtmr1, rtmr2, rtmr3"
    )


@pytest.mark.parametrize("name", ["linux-software-root", "sgx", "arm-cca", "some-other"])
def test_a_platform_on_which_nothing_measures_a_machine_is_told(name):
    error = refusal_of(with_machine({"pcr4": ["11" * 32]}, name))
    assert error.code == "machine"
    assert f"nothing measures a machine on {name}" in error.detail
    assert "tpm, sev-snp, tdx, nitro" in error.detail


def test_a_platform_appears_once():
    platform = current_document()["platforms"][0]
    error = refusal_of(text(current_document() | {"platforms": [platform, platform]}))
    assert (error.code, error.path) == ("invalid-value", "$.platforms[1].name")


def test_a_2021_policy_need_not_name_any_runtime():
    document = {name: value for name, value in document_2021().items() if "mexico" not in name}
    assert Policy.parse(text(document), at=NOW).platforms == ()


def test_a_current_policy_names_a_runtime():
    document = current_document() | {"platforms": []}
    assert refusal_of(text(document)).code is PolicyErrorCode.MISSING_PLATFORM


def test_a_policy_is_refused_from_the_second_it_expires():
    raw, end = text(current_document()), datetime.fromisoformat("2026-06-30T00:00:00Z")
    raw = raw.replace(b"2026-12-31T23:59:59Z", b"2026-06-30T00:00:00Z")
    assert Policy.parse(raw, at=end - timedelta(seconds=1)).expires_at == end
    error = refusal_of(raw, at=end)
    assert error.code is PolicyErrorCode.ENCLAVE_EXPIRED
    assert "2026-06-30T00:00:00Z" in str(error)


@pytest.mark.parametrize("make", BOTH)
def test_a_certificate_is_good_between_its_dates(make):
    raw = spoilt(
        make,
        ("identities", 0, "certificate"),
        pem(certificate("brief", not_before=NOW, not_after=NOW + DAY)),
    )
    assert Policy.parse(raw, at=NOW)
    assert Policy.parse(raw, at=NOW + DAY)
    late, early = refusal_of(raw, at=NOW + 2 * DAY), refusal_of(raw, at=NOW - DAY / 2)
    assert late.code is PolicyErrorCode.CERTIFICATE_EXPIRED
    assert early.code is PolicyErrorCode.CERTIFICATE_NOT_YET_VALID
    assert late.path == early.path == "$.identities[0].certificate"
    assert "renew" in str(late)


@pytest.mark.parametrize(
    "value",
    [
        pem(certificate("paula")) + "\n",
        "\n" + pem(certificate("paula")),
        pem(certificate("paula")) + "\n" + pem(certificate("dora")),
        pem(certificate("paula")).replace("\n", ""),
        pem(certificate("paula"), "X509 CRL"),
        pem(public_key_der(key_of("paula")), "PUBLIC KEY"),
        pem(certificate("paula")).replace("M", "*", 1),
        pem(certificate("paula")).replace("\n-----END", "=\n-----END"),
        certificate("paula").hex(),
    ],
)
def test_anything_but_one_clean_pem_block_is_refused(value):
    error = refusal_of(spoilt(current_document, ("identities", 0, "certificate"), value))
    assert error.code is PolicyErrorCode.CERTIFICATE_FORMAT


def _stray_bits(der: bytes) -> str:
    """The same bytes in base64 whose last, unused bits are not zero."""
    padded = der + b"\0" * ((1 - len(der)) % 3 or 3)
    block = pem(padded)
    assert "A==\n" in block
    return block.replace("A==\n", "B==\n")


def test_base64_has_one_spelling():
    error = refusal_of(
        spoilt(
            current_document, ("identities", 0, "certificate"), _stray_bits(certificate("paula"))
        )
    )
    assert "stray bits" in str(error)


@pytest.mark.parametrize(
    ("der", "reason"),
    [
        (b"\x30\x00", "parse"),
        (certificate("paula") + b"\0", "parse"),
        (certificate("paula")[:-1], "parse"),
        (certificate("weak", key=rsa.generate_private_key(65537, 1024)), "1024 bits"),
        (certificate("small", key=ec.generate_private_key(ec.SECP192R1())), "192 bits"),
        (certificate("old", key=dsa.generate_private_key(1024)), "another kind than RSA"),
        (certificate("paula", signed_by=key_of("mallory")), "altered"),
    ],
    ids=["empty", "trailing", "truncated", "rsa-1024", "p-192", "dsa", "forged"],
)
def test_a_certificate_of_no_use_is_refused(der, reason):
    error = refusal_of(spoilt(current_document, ("identities", 0, "certificate"), pem(der)))
    assert error.code is PolicyErrorCode.CERTIFICATE_INVALID
    assert reason in str(error)


@pytest.mark.parametrize("make", BOTH)
def test_an_altered_certificate_does_not_get_through(make):
    """The cases that were found by fuzzing in 2021, and all of their kind.

    Two alterations cannot be seen: of either name, since only who signs itself can be checked,
    and of the count of unused bits around a signature that stays the same.
    """
    raw = text(make())
    block = json.dumps(pem(certificate("paula"))).encode()
    start = raw.index(block) + 1
    codes = set()
    original = x509.load_der_x509_certificate(certificate("paula"))
    for position in range(start, start + len(block) - 2):
        spoilt_raw = bytearray(raw)
        spoilt_raw[position] ^= 1 << position % 8
        try:
            policy = Policy.parse(bytes(spoilt_raw), at=NOW)
        except PolicyError as error:
            codes.add(error.code)
        else:
            altered = x509.load_der_x509_certificate(policy.identities[0].certificate)
            assert altered.issuer != altered.subject or altered.signature == original.signature
    assert codes == {
        PolicyErrorCode.CERTIFICATE_FORMAT,
        PolicyErrorCode.CERTIFICATE_INVALID,
        PolicyErrorCode.MALFORMED_JSON,
    } | (codes & {"certificate-expired", "certificate-not-yet-valid"})


def test_a_refusal_is_one_by_policy():
    error = refusal_of(b"{")
    assert isinstance(error, RefusedError)
    assert error.exit_code == 3
    assert str(error).startswith("policy: is not JSON")
    assert "\n" not in str(error)
