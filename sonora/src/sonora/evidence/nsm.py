"""Evidence from the AWS Nitro Secure Module: a root attester in a Nitro enclave.

The device /dev/nsm takes one `ioctl` with two buffers: a request in CBOR, and room for the answer.
`Attestation` asks for a document over `user_data`, signed by the hypervisor. (AWS, "Nitro Enclaves
NSM API".)
"""

import ctypes
import fcntl
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from psa_attestation.cbor.decoding import DecodeLimits, decode
from psa_attestation.cbor.encoding import encode
from psa_attestation.cbor.values import Encodable, Key, Value
from psa_attestation.errors import AttestationError
from psa_attestation.evidence.native import NativeEvidence, report_data_of
from sonora.evidence.base import EvidenceUnavailableError

DEVICE: Final = Path("/dev/nsm")
# The most that the kernel's driver lets through (drivers/misc/nsm.c, NSM_RESPONSE_MAX_SIZE).
MAX_ANSWER_BYTES: Final = 0x3000
_LIMITS: Final = DecodeLimits(
    max_bytes=MAX_ANSWER_BYTES, max_items=64, max_depth=4, allow_indefinite=True
)
Exchange = Callable[[bytes], bytes]
"""A request of the device, and its answer."""


class _Buffer(ctypes.Structure):
    """`struct iovec`."""

    _fields_ = (("base", ctypes.c_void_p), ("size", ctypes.c_size_t))


class _Message(ctypes.Structure):
    """`struct nsm_message`: the request, and room for the answer."""

    _fields_ = (("request", _Buffer), ("response", _Buffer))


# _IOWR(0x0A, 0, struct nsm_message)
_REQUEST: Final = (3 << 30) | (ctypes.sizeof(_Message) << 16) | (0x0A << 8)


class NsmSource:
    """Evidence of the Nitro enclave we run in.

    Args:
        exchange: how the device is asked; by default through /dev/nsm.

    Raises:
        EvidenceUnavailableError: this is no enclave.
    """

    platform = "nitro"

    def __init__(self, exchange: Exchange | None = None) -> None:
        self._exchange = exchange or exchange_with(DEVICE)
        # Asked so that a missing module fails the start of Sonora, not an enrolment.
        self._ask("DescribeNSM", "DescribeNSM")

    def evidence(self, binding: bytes) -> bytes:
        """A document over `binding`; the hypervisor says itself what it measures.

        Raises:
            EvidenceUnavailableError: the module gives none.
        """
        wanted = {"user_data": report_data_of(binding), "nonce": None, "public_key": None}
        answer = self._ask({"Attestation": wanted}, "Attestation")
        document = answer.get("document")
        if not isinstance(document, bytes):
            raise EvidenceUnavailableError("the module's answer has no document")
        return NativeEvidence(self.platform, document).encode()

    def _ask(self, request: Encodable, name: str) -> Mapping[Key, Value]:
        try:
            found = decode(self._exchange(encode(request)), _LIMITS)
        except AttestationError as error:
            raise EvidenceUnavailableError(
                f"the module's answer cannot be read: {error}"
            ) from error
        match found:
            case {"Error": str(code)}:
                raise EvidenceUnavailableError(f"the module answers {code[:40]!r}")
            case dict() if isinstance(answer := found.get(name), dict):
                return answer
        raise EvidenceUnavailableError(f"the module sent a malformed answer to {name}")


def exchange_with(device: Path) -> Exchange:
    """How a device of this path is asked.

    Raises:
        EvidenceUnavailableError: it cannot be opened.
    """
    try:
        descriptor = os.open(device, os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        raise EvidenceUnavailableError(f"{device}: {error.strerror}") from error

    def exchange(request: bytes) -> bytes:
        answer = ctypes.create_string_buffer(MAX_ANSWER_BYTES)
        # Both have names until the call is over: an address alone keeps no buffer alive.
        given = ctypes.create_string_buffer(request, len(request))
        message = _Message(
            _Buffer(ctypes.addressof(given), len(request)),
            _Buffer(ctypes.addressof(answer), MAX_ANSWER_BYTES),
        )
        try:
            fcntl.ioctl(descriptor, _REQUEST, message)
        except OSError as error:
            raise EvidenceUnavailableError(f"{device}: {error.strerror}") from error
        # The driver has written the answer's length into the message.
        return answer.raw[: min(message.response.size, MAX_ANSWER_BYTES)]

    return exchange
