"""The bytes of Intel quotes: SGX of version 3, SGX and TDX of versions 4 and 5.

Parsing says where things are and that nothing is left over; it proves nothing. All numbers are
little-endian. Layouts: Intel, "SGX ECDSA QuoteLibReference DCAP API" (version 3), "TDX DCAP
Quoting Library API" appendix A.3 (versions 4 and 5).
"""

from enum import Enum
from typing import Final

from tabasco.verify.errors import EvidenceError, Fault, VerificationStage
from veracruz_utils.frozen import frozen

MAX_QUOTE_BYTES: Final = 64 * 1024
INTEL_QE_VENDOR: Final = bytes.fromhex("939a7233f79c4ca9940a0db3957f0607")

# Types by number: keys 2 is ECDSA on P-256; certification data 5 is the PCK chain, 6 a QE report.
_HEADER_BYTES: Final = 48
_ECDSA_P256: Final = 2
_PCK_CHAIN: Final = 5
_QE_REPORT: Final = 6
_ENCLAVE_BYTES: Final = 384
_TD_10_BYTES: Final = 584
_TD_15_BYTES: Final = 648


class Tee(Enum):
    """What a quote is about, with its number in the header."""

    SGX = 0x00
    TDX = 0x81


@frozen
class EnclaveReport:
    """The report of an SGX enclave (Intel SDM volume 3D, 38.15), and its exact bytes."""

    raw: bytes
    cpu_svn: bytes
    misc_select: bytes
    attributes: bytes
    mrenclave: bytes
    mrsigner: bytes
    config_id: bytes
    isv_prod_id: int
    isv_svn: int
    report_data: bytes

    @property
    def debug(self) -> bool:
        """Whether the enclave's memory is open to a debugger."""
        # ATTRIBUTES.DEBUG is bit 1 (Intel SDM volume 3D, 38.7.1).
        return bool(self.attributes[0] & 2)


@frozen
class TdReport:
    """The report of a trust domain.

    Attributes:
        tee_tcb_svn: of the TDX module and its loader when the domain was built.
        tee_tcb_svn_2: the same now, and `mrservicetd` the service domain bound to this one; both
            of TDX 1.5 only.
    """

    tee_tcb_svn: bytes
    mrseam: bytes
    mrsignerseam: bytes
    seam_attributes: bytes
    td_attributes: bytes
    xfam: bytes
    mrtd: bytes
    mrconfigid: bytes
    mrowner: bytes
    mrownerconfig: bytes
    rtmrs: tuple[bytes, ...]
    report_data: bytes
    tee_tcb_svn_2: bytes | None = None
    mrservicetd: bytes | None = None


@frozen
class DcapQuote:
    """A quote taken apart.

    Attributes:
        signed: header and body, which the attestation key signed.
        signature: r and s, 32 bytes each.
        attestation_key: x and y on P-256.
        qe_report: of the quoting enclave, which made the attestation key.
        qe_report_signature: by the platform's certified key.
        pck_chain: PEM, from the platform's certificate to the root.
        padding: how many zero bytes followed.
    """

    version: int
    tee: Tee
    body: EnclaveReport | TdReport
    signed: bytes
    signature: bytes
    attestation_key: bytes
    qe_report: EnclaveReport
    qe_report_signature: bytes
    qe_auth_data: bytes
    pck_chain: bytes
    padding: int


class _QuoteReader:
    """Takes exact numbers of bytes."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.position = 0

    def take(self, count: int) -> bytes:
        end = self.position + count
        if end > len(self._data):
            raise _malformed(
                f"the quote is cut off: {count} bytes wanted at {self.position}, "
                f"{len(self._data) - self.position} left"
            )
        piece = self._data[self.position : end]
        self.position = end
        return piece

    def number(self, count: int) -> int:
        return int.from_bytes(self.take(count), "little")

    def rest(self) -> bytes:
        return self._data[self.position :]

    def finish(self, what: str) -> None:
        if self.rest():
            raise EvidenceError(
                Fault.TRAILING_BYTES,
                VerificationStage.FORMAT,
                f"{len(self.rest())} bytes left in {what}",
            )


def parse_quote(data: bytes, *, padded: bool = True) -> DcapQuote:
    """The parts of a quote.

    Args:
        data: at most 64 KiB.
        padded: whether zero bytes may follow, as in the fixed buffers of the kernel's interfaces.

    Raises:
        EvidenceError: stage `format`.
    """
    if len(data) > MAX_QUOTE_BYTES:
        raise _malformed(f"the quote has {len(data)} bytes, at most {MAX_QUOTE_BYTES} are read")
    reader = _QuoteReader(data)
    version, tee = _header(reader.take(_HEADER_BYTES))
    body = _body(reader, version, tee)
    signed = data[: reader.position]
    parts = _QuoteReader(reader.take(reader.number(4)))
    rest = reader.rest()
    # Only zeros: whatever else stands behind the quote is signed by nobody.
    if any(rest) or (rest and not padded):
        raise EvidenceError(
            Fault.TRAILING_BYTES, VerificationStage.FORMAT, f"{len(rest)} bytes follow the quote"
        )
    signature, attestation_key = parts.take(64), parts.take(64)
    certification = parts
    if version > 3:
        _expect("certification data", parts.number(2), _QE_REPORT)
        certification = _QuoteReader(parts.take(parts.number(4)))
        parts.finish("the signature data")
    qe_report = _enclave_report(certification.take(_ENCLAVE_BYTES))
    qe_signature = certification.take(64)
    auth_data = certification.take(certification.number(2))
    _expect("certification data", certification.number(2), _PCK_CHAIN)
    chain = certification.take(certification.number(4))
    certification.finish("the certification data")
    return DcapQuote(
        version=version,
        tee=tee,
        body=body,
        signed=signed,
        signature=signature,
        attestation_key=attestation_key,
        qe_report=qe_report,
        qe_report_signature=qe_signature,
        qe_auth_data=auth_data,
        pck_chain=chain.rstrip(b"\0"),  # a C string's end, in SGX quotes
        padding=len(rest),
    )


def _header(header: bytes) -> tuple[int, Tee]:
    version = int.from_bytes(header[:2], "little")
    if version not in {3, 4, 5}:
        raise EvidenceError(
            Fault.UNSUPPORTED_VERSION,
            VerificationStage.FORMAT,
            f"quote version {version}, known are 3, 4, 5",
        )
    key_type = int.from_bytes(header[2:4], "little")
    if key_type != _ECDSA_P256:
        raise EvidenceError(
            Fault.UNSUPPORTED_ALGORITHM,
            VerificationStage.FORMAT,
            f"attestation key of type {key_type}, known is {_ECDSA_P256}, ECDSA on P-256",
        )
    tee = int.from_bytes(header[4:8], "little")
    if tee not in {each.value for each in Tee} or (version == 3 and tee != Tee.SGX.value):
        raise _malformed(f"TEE type {tee:#x} in a quote of version {version}")
    # Says it early; whether the enclave is really Intel's is shown by its identity, (8) of `dcap`.
    if header[12:28] != INTEL_QE_VENDOR:
        raise EvidenceError(
            Fault.ENCLAVE_IDENTITY,
            VerificationStage.FORMAT,
            f"the quoting enclave's vendor is {header[12:28].hex()}, known is Intel's",
        )
    return version, Tee(tee)


def _body(reader: _QuoteReader, version: int, tee: Tee) -> EnclaveReport | TdReport:
    kind = 1 if tee is Tee.SGX else 2
    size = {1: _ENCLAVE_BYTES, 2: _TD_10_BYTES}[kind]
    if version == 5:
        kind, given = reader.number(2), reader.number(4)
        sizes = {1: _ENCLAVE_BYTES} if tee is Tee.SGX else {2: _TD_10_BYTES, 3: _TD_15_BYTES}
        if sizes.get(kind) != given:
            raise _malformed(f"a body of type {kind} and {given} bytes in a quote of {tee.name}")
        size = given
    body = reader.take(size)
    return _enclave_report(body) if kind == 1 else _td_report(body)


def _enclave_report(raw: bytes) -> EnclaveReport:
    return EnclaveReport(
        raw=raw,
        cpu_svn=raw[:16],
        misc_select=raw[16:20],
        attributes=raw[48:64],
        mrenclave=raw[64:96],
        mrsigner=raw[128:160],
        config_id=raw[192:256],
        isv_prod_id=int.from_bytes(raw[256:258], "little"),
        isv_svn=int.from_bytes(raw[258:260], "little"),
        report_data=raw[320:384],
    )


def _td_report(raw: bytes) -> TdReport:
    reader = _QuoteReader(raw)
    take = reader.take
    report = TdReport(
        tee_tcb_svn=take(16),
        mrseam=take(48),
        mrsignerseam=take(48),
        seam_attributes=take(8),
        td_attributes=take(8),
        xfam=take(8),
        mrtd=take(48),
        mrconfigid=take(48),
        mrowner=take(48),
        mrownerconfig=take(48),
        rtmrs=(take(48), take(48), take(48), take(48)),
        report_data=take(64),
        tee_tcb_svn_2=take(16) if len(raw) == _TD_15_BYTES else None,
        mrservicetd=take(48) if len(raw) == _TD_15_BYTES else None,
    )
    reader.finish("the report")
    return report


def _expect(what: str, found: int, wanted: int) -> None:
    if found != wanted:
        raise EvidenceError(
            Fault.UNSUPPORTED_VERSION,
            VerificationStage.FORMAT,
            f"{what} of type {found}, known is {wanted}",
        )


def _malformed(detail: str) -> EvidenceError:
    return EvidenceError(Fault.MALFORMED, VerificationStage.FORMAT, detail)
