"""The suites a policy may name are those that OpenSSL has under the names we give it."""

import ssl

import pytest

from veracruz_utils.policy import (
    TLS_1_2_SUITES,
    TLS_1_3_SUITES,
    PolicyError,
    PolicyErrorCode,
    TlsVersion,
    ciphersuite_named,
)


@pytest.mark.parametrize("suite", TLS_1_2_SUITES, ids=lambda suite: suite.name)
def test_openssl_has_each_suite_of_tls_1_2(suite):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(suite.openssl_name)
    (described,) = [each for each in context.get_ciphers() if each["protocol"] != "TLSv1.3"]
    assert described["name"] == suite.openssl_name
    assert described["auth"] == "auth-ecdsa"
    assert described["aead"]
    assert suite.version is TlsVersion.TLS_1_2


@pytest.mark.parametrize("suite", TLS_1_3_SUITES, ids=lambda suite: suite.name)
def test_openssl_has_each_suite_of_tls_1_3(suite):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    names = {each["name"] for each in context.get_ciphers() if each["protocol"] == "TLSv1.3"}
    assert suite.openssl_name in names
    assert suite.openssl_name == suite.name
    assert suite.version is TlsVersion.TLS_1_3


@pytest.mark.parametrize("choices", [TLS_1_2_SUITES, TLS_1_3_SUITES])
def test_a_suite_is_found_by_its_exact_name(choices):
    for suite in choices:
        assert ciphersuite_named(suite.name, choices) is suite
        for wrong in (suite.name.lower(), suite.name + " ", suite.name[:-1]):
            with pytest.raises(PolicyError) as caught:
                ciphersuite_named(wrong, choices)
            assert caught.value.code is PolicyErrorCode.CIPHERSUITE_UNKNOWN


@pytest.mark.parametrize(
    ("choices", "name"),
    [
        (TLS_1_3_SUITES, "TLS_AES_128_CCM_SHA256"),
        (TLS_1_3_SUITES, "TLS13_CHACHA20_POLY1305_SHA256"),
        (TLS_1_3_SUITES, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"),
        (TLS_1_2_SUITES, "TLS_AES_128_GCM_SHA256"),
        (TLS_1_2_SUITES, "TLS13_AES_128_GCM_SHA256"),
        (TLS_1_2_SUITES, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"),
        (TLS_1_2_SUITES, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384"),
        (TLS_1_2_SUITES, "TLS_RSA_WITH_AES_128_CBC_SHA"),
    ],
)
def test_a_real_suite_of_no_use_is_told_apart_from_a_wrong_name(choices, name):
    with pytest.raises(PolicyError) as caught:
        ciphersuite_named(name, choices)
    assert caught.value.code is PolicyErrorCode.CIPHERSUITE_UNSUPPORTED
    assert choices[0].name in str(caught.value)
