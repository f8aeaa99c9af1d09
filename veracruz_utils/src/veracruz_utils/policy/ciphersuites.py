"""The TLS cipher suites a policy may name."""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from veracruz_utils.policy.errors import PolicyError, PolicyErrorCode


class TlsVersion(Enum):
    """The versions of TLS in use."""

    TLS_1_2 = "TLS 1.2"
    TLS_1_3 = "TLS 1.3"


@dataclass(frozen=True, slots=True)
class CipherSuite:
    """A cipher suite that an isolate can speak.

    Attributes:
        name: as it stands in the policy; the IANA name.
        version: the one version of TLS it belongs to.
        openssl_name: what OpenSSL calls it.
    """

    name: str
    version: TlsVersion
    openssl_name: str


TLS_1_3_SUITES: Final = tuple(
    CipherSuite(name, TlsVersion.TLS_1_3, name)
    for name in (
        "TLS_AES_256_GCM_SHA384",
        "TLS_CHACHA20_POLY1305_SHA256",
        "TLS_AES_128_GCM_SHA256",
    )
)
"""What a policy of the current format chooses from, best first."""

TLS_1_2_SUITES: Final = tuple(
    CipherSuite(name, TlsVersion.TLS_1_2, openssl_name)
    for name, openssl_name in (
        ("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"),
        ("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384"),
        ("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"),
    )
)
"""What a 2021 policy chooses from. An isolate's key is P-256, so only ECDSA suites work."""

# Real suites that no policy can use: the author knew what they wrote, but it cannot work.
_UNUSABLE: Final = frozenset(
    {
        # TLS 1.3, for constrained devices; and the three good ones as they were spelt in 2021
        "TLS_AES_128_CCM_SHA256",
        "TLS_AES_128_CCM_8_SHA256",
        "TLS13_AES_256_GCM_SHA384",
        "TLS13_AES_128_GCM_SHA256",
        "TLS13_CHACHA20_POLY1305_SHA256",
        # TLS 1.2 with a key that an isolate does not have
        *(
            f"TLS_{exchange}_WITH_{cipher}"
            for exchange in ("ECDHE_RSA", "DHE_RSA", "DHE_PSK", "ECDHE_PSK", "PSK")
            for cipher in (
                "CHACHA20_POLY1305_SHA256",
                "AES_256_GCM_SHA384",
                "AES_128_GCM_SHA256",
            )
        ),
        # without forward secrecy, or with a mode of encryption that has had its day
        *(
            f"TLS_{exchange}_WITH_{cipher}"
            for exchange in ("RSA", "ECDHE_RSA", "ECDHE_ECDSA", "DHE_RSA")
            for cipher in (
                "AES_128_CBC_SHA",
                "AES_256_CBC_SHA",
                "AES_128_CBC_SHA256",
                "AES_256_CBC_SHA256",
                "AES_256_CBC_SHA384",
                "AES_128_CCM",
                "AES_256_CCM",
                "3DES_EDE_CBC_SHA",
                "RC4_128_SHA",
            )
        ),
        "TLS_RSA_WITH_AES_128_GCM_SHA256",
        "TLS_RSA_WITH_AES_256_GCM_SHA384",
    }
)


def ciphersuite_named(name: str, choices: tuple[CipherSuite, ...]) -> CipherSuite:
    """The suite of this name among `choices`.

    Raises:
        PolicyError: `ciphersuite-unsupported` for a real suite that is not among them,
            `ciphersuite-unknown` for any other text.
    """
    for suite in choices:
        if suite.name == name:
            return suite
    expected = ", ".join(suite.name for suite in choices)
    known = _UNUSABLE | {suite.name for suite in TLS_1_3_SUITES + TLS_1_2_SUITES}
    code, problem = (
        (PolicyErrorCode.CIPHERSUITE_UNSUPPORTED, "cannot be used in this kind of policy")
        if name in known
        else (PolicyErrorCode.CIPHERSUITE_UNKNOWN, "is not a cipher suite")
    )
    raise PolicyError(
        code, f"{name[:80]!r} {problem}; choose from {expected}", path="$.ciphersuite"
    )
