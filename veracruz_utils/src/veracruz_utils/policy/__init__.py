"""The global policy: the public contract of one computation.

`Policy.parse` turns text of the current format or of 2021's into a frozen value, or refuses it;
`rendering.render_policy` writes such text. Nothing here reads a clock, a file or the environment.
"""

from veracruz_utils.address import Address
from veracruz_utils.policy._document import MAX_POLICY_BYTES
from veracruz_utils.policy.ciphersuites import (
    TLS_1_2_SUITES,
    TLS_1_3_SUITES,
    CipherSuite,
    TlsVersion,
    ciphersuite_named,
)
from veracruz_utils.policy.conduct import (
    OPAQUE,
    UNLIMITED,
    Agreement,
    Conduct,
    InputTerms,
    Mechanism,
    Privacy,
    ResultTerms,
    decimal_text,
)
from veracruz_utils.policy.errors import PolicyError, PolicyErrorCode
from veracruz_utils.policy.isolation import RUNTIME_LAYERS, IsolationLayer
from veracruz_utils.policy.machine import REGISTER_BANKS, PinnedRegister, RegisterBank
from veracruz_utils.policy.policy import Policy
from veracruz_utils.policy.values import (
    DATA_SENDERS,
    LINUX_SOFTWARE,
    PROGRAM_SENDERS,
    RESULT_READERS,
    STREAM_SENDERS,
    AcceptedPlatform,
    Limits,
    PolicyFormat,
    PolicyIdentity,
    Role,
    Strategy,
)

__all__ = [
    "DATA_SENDERS",
    "LINUX_SOFTWARE",
    "MAX_POLICY_BYTES",
    "OPAQUE",
    "PROGRAM_SENDERS",
    "REGISTER_BANKS",
    "RESULT_READERS",
    "RUNTIME_LAYERS",
    "STREAM_SENDERS",
    "TLS_1_2_SUITES",
    "TLS_1_3_SUITES",
    "UNLIMITED",
    "AcceptedPlatform",
    "Address",
    "Agreement",
    "CipherSuite",
    "Conduct",
    "InputTerms",
    "IsolationLayer",
    "Limits",
    "Mechanism",
    "PinnedRegister",
    "Policy",
    "PolicyError",
    "PolicyErrorCode",
    "PolicyFormat",
    "PolicyIdentity",
    "Privacy",
    "RegisterBank",
    "ResultTerms",
    "Role",
    "Strategy",
    "TlsVersion",
    "ciphersuite_named",
    "decimal_text",
]
