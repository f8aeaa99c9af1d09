"""The TLS cipher suites a policy may name."""

import re
from enum import Enum
from typing import Final

from veracruz_utils.frozen import frozen
from veracruz_utils.policy.errors import PolicyError, PolicyErrorCode


class TlsVersion(Enum):
    """The versions of TLS in use."""

    TLS_1_2 = "TLS 1.2"
    TLS_1_3 = "TLS 1.3"


@frozen
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

# What other suites are called, those of 2021's spelling included: no policy can use them, because
# an isolate's key is P-256, or because they have no forward secrecy or a mode that has had its day.
_OTHER_SUITE: Final = re.compile(
    r"TLS(13)?_(((EC)?DHE_)?(RSA|ECDSA|PSK)_WITH_)?"
    r"(AES_(128|256)_(GCM|CCM|CCM_8|CBC)|CHACHA20_POLY1305|3DES_EDE_CBC|RC4_128)(_SHA(256|384)?)?"
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
    code, problem = (
        (PolicyErrorCode.CIPHERSUITE_UNSUPPORTED, "cannot be used in this kind of policy")
        if _OTHER_SUITE.fullmatch(name)
        else (PolicyErrorCode.CIPHERSUITE_UNKNOWN, "is not a cipher suite")
    )
    raise PolicyError(
        code, f"{name[:80]!r} {problem}; choose from {expected}", path="$.ciphersuite"
    )
