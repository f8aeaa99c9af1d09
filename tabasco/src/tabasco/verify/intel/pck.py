"""What Intel's certificate of a platform's key (PCK) says about the platform.

Standard: Intel, "SGX PCK Certificate and Certificate Revocation List Profile Specification".
"""

import functools
from typing import Final

from cryptography import x509

from tabasco.verify.errors import EvidenceError, Fault, VerificationStage
from tabasco.verify.x509 import der
from tabasco.verify.x509.certificates import outline_of
from veracruz_utils.frozen import frozen

PCK_NAME: Final = "Intel SGX PCK Certificate"
PCK_ISSUERS: Final = frozenset({"Intel SGX PCK Platform CA", "Intel SGX PCK Processor CA"})

# Intel's arc: .2 is the TCB (1 to 16 components, 17 the PCE's), .3 the PCE's id, .4 the FMSPC.
_SGX: Final = "1.2.840.113741.1.13.1"
_TCB: Final = f"{_SGX}.2"
_PPID: Final = f"{_SGX}.1"
_COMPONENTS: Final = 16


@frozen
class Platform:
    """A platform as its certificate describes it.

    Attributes:
        fmspc: family, model, stepping, platform and custom SKU; 6 bytes.
        pce_id: 2 bytes.
        svns: the 16 security versions that the certificate was issued for.
        pce_svn: the security version of its provisioning enclave.
        ppid: the id of this very platform, 16 bytes; empty where the certificate has none.
    """

    fmspc: bytes
    pce_id: bytes
    svns: tuple[int, ...]
    pce_svn: int
    ppid: bytes


@functools.lru_cache(maxsize=128)  # platforms come again
def platform_of(certificate: x509.Certificate) -> Platform:
    """The platform that a PCK certificate is for.

    Raises:
        EvidenceError: stage `chain`.
    """
    found = outline_of(certificate).extensions.get(_SGX)
    if found is None:
        raise EvidenceError(
            Fault.CHAIN, VerificationStage.CHAIN, "the platform's certificate has no SGX extension"
        )
    extension = der.attributes(der.children(der.read(found.value, der.SEQUENCE)))
    tcb = der.attributes(der.children(der.expect(_get(extension, _TCB), der.SEQUENCE)))
    svns = [der.integer(_get(tcb, f"{_TCB}.{number}")) for number in range(1, _COMPONENTS + 1)]
    return Platform(
        fmspc=_octets(_get(extension, f"{_SGX}.4"), 6),
        pce_id=_octets(_get(extension, f"{_SGX}.3"), 2),
        svns=tuple(svns),
        pce_svn=der.integer(_get(tcb, f"{_TCB}.{_COMPONENTS + 1}")),
        ppid=_octets(extension[_PPID], 16) if _PPID in extension else b"",
    )


def _get(found: dict[str, der.Element], name: str) -> der.Element:
    if name not in found:
        raise der.malformed(f"the SGX extension has no {name}")
    return found[name]


def _octets(element: der.Element, size: int) -> bytes:
    content = der.expect(element, der.OCTET_STRING).content
    if len(content) != size:
        raise der.malformed(f"a field of the SGX extension has {len(content)} bytes, not {size}")
    return content
