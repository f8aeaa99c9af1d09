"""Local attestation: one enclave convinces another on the same machine, without a quote.

Theory of operation. The challenger gives its target information and a fresh nonce; the other has
the processor make a report for that target, over a binding of the nonce, the challenger's role and
what the isolate is to be vouched for with. The report's MAC is keyed so that the challenger's
enclave alone can check it. A challenge is concluded once, whatever comes of it.

The key of that MAC comes from the processor (EGETKEY) inside the challenger. Gramine 1.x has no
file that gives it to programs, so this runs where a LibOS or a small native helper does; without
one there is an error and no isolate is vouched for. (Intel SDM volume 3D, tables 35-21 and 35-24.)
"""

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.ciphers import algorithms
from cryptography.hazmat.primitives.cmac import CMAC

from psa_attestation.binding import binding_digest
from psa_attestation.evidence.native import report_data_of
from sonora.errors import SonoraError

LOCAL_LABEL: Final = "veracruz-local-attestation-v1"
NONCE_BYTES: Final = 32
REPORT_BYTES: Final = 432
_ROLE, _AUDIENCE = b"isolate", b"root-attester"
_BODY: Final = 384
_DEBUG: Final = 0x02
_INITIALISED: Final = 0x01

ReportKey = Callable[[bytes], bytes]
"""The report key (16 bytes) of our own enclave for a key id (32 bytes), from EGETKEY."""


class LocalAttestationError(SonoraError):
    """The other enclave did not prove what it had to."""


def local_binding(*, nonce: bytes, certificate_digest: bytes, policy_digest: bytes) -> bytes:
    """What a report has to be over (32 bytes): who speaks to whom, now, about what.

    Args:
        nonce: of the challenger, 32 bytes.
        certificate_digest: SHA-256 of the isolate's TLS certificate (DER).
        policy_digest: SHA-256 of the policy it holds.
    """
    return binding_digest(LOCAL_LABEL, _ROLE, _AUDIENCE, nonce, certificate_digest, policy_digest)


@dataclass(frozen=True, slots=True)
class LocalReport:
    """What a verified report says of the enclave that made it; the measurements have 32 bytes."""

    mrenclave: bytes
    mrsigner: bytes
    product: int
    security_version: int


class LocalChallenge:
    """A question to one isolate, good for one answer.

    Args:
        target_info: of our own enclave, for the isolate (512 bytes).
        report_key: how its reports are checked.
    """

    def __init__(self, target_info: bytes, report_key: ReportKey) -> None:
        self.target_info = target_info
        self.nonce = secrets.token_bytes(NONCE_BYTES)
        self._report_key = report_key
        self._open = True

    def conclude(
        self, report: bytes, *, certificate_digest: bytes, policy_digest: bytes
    ) -> LocalReport:
        """What the isolate is that answered with `report` and claims these two digests.

        Raises:
            LocalAttestationError: the challenge was answered before, or the report is not authentic
                for us, of an enclave open to debugging, or over something else.
        """
        if not self._open:
            raise LocalAttestationError("this challenge was answered before")
        self._open = False
        if len(report) != REPORT_BYTES:
            raise LocalAttestationError(f"a report of {len(report)} bytes, it has {REPORT_BYTES}")
        _check_mac(report, self._report_key)
        binding = local_binding(
            nonce=self.nonce, certificate_digest=certificate_digest, policy_digest=policy_digest
        )
        if not hmac.compare_digest(report[320:_BODY], report_data_of(binding)):
            raise LocalAttestationError("the report is over something else than this challenge")
        return _body(report)


def _check_mac(report: bytes, report_key: ReportKey) -> None:
    mac = CMAC(algorithms.AES(report_key(report[_BODY : _BODY + 32])))
    mac.update(report[:_BODY])
    try:
        mac.verify(report[_BODY + 32 :])
    except InvalidSignature:
        raise LocalAttestationError("the report was not made on this machine for us") from None


def _body(report: bytes) -> LocalReport:
    flags = report[48]
    if not flags & _INITIALISED or flags & _DEBUG:
        raise LocalAttestationError("the enclave is open to debugging: its memory can be read")
    return LocalReport(
        mrenclave=report[64:96],
        mrsigner=report[128:160],
        product=int.from_bytes(report[256:258], "little"),
        security_version=int.from_bytes(report[258:260], "little"),
    )
