"""Intel quotes and collateral of a throw-away Intel, good or wrong in one named way.

Nothing here is by Intel: the root is our own, and only a test that pins it believes it.
"""

import copy
import hashlib
import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from cryptography import x509 as library
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from support.throwaway_chain import NOON, Form, Member, authority, issue, revocation_list
from tabasco.verify.intel.collateral import Collateral
from tabasco.verify.intel.dcap import verify_dcap
from tabasco.verify.x509 import certificates

SGX, TDX = 0x00, 0x81
ROOT = issue("Intel SGX Root CA", None, authority(path_length=1))
PLATFORM_CA = issue("Intel SGX PCK Platform CA", ROOT, authority(path_length=0, serial=100))
PROCESSOR_CA = issue("Intel SGX PCK Processor CA", ROOT, authority(path_length=0, serial=101))
SIGNER = issue("Intel SGX TCB Signing", ROOT, Form(serial=102))
PCK_KEY = ec.generate_private_key(ec.SECP256R1())
ATTESTATION_KEY = ec.generate_private_key(ec.SECP256R1())
ROOTS = frozenset({certificates.digest(ROOT.certificate)})
PCK_SERIAL = 103
FMSPC = "00606a000000"
QE_SIGNER = bytes(range(32))
SVNS = (5,) * 16
MODULE = {
    "mrsigner": "00" * 48,
    "attributes": "00" * 8,
    "attributesMask": "FF" * 8,
}


def level(status, svn=5, *, pce=10, tdx=(5, 0, 5), advisories=()) -> dict[str, Any]:
    """A level of TCB info with the same number in all components of SGX."""
    return {
        "tcb": {
            "sgxtcbcomponents": [{"svn": svn}] * 16,
            "pcesvn": pce,
            "tdxtcbcomponents": [{"svn": each} for each in (*tdx, *(0,) * (16 - len(tdx)))],
        },
        "tcbDate": "2026-01-01T00:00:00Z",
        "tcbStatus": status,
        "advisoryIDs": list(advisories),
    }


def enclave_level(status, isv_svn, *advisories) -> dict[str, Any]:
    """A level of an enclave or of a TDX module."""
    return {
        "tcb": {"isvsvn": isv_svn},
        "tcbStatus": status,
        "tcbDate": "2026-01-01T00:00:00Z",
        "advisoryIDs": list(advisories),
    }


@dataclass
class Recipe:
    """How a quote and its collateral are made; as it stands, good and up to date."""

    tee: int = SGX
    version: int = 3
    body: dict[int, bytes] = field(default_factory=dict)
    header: dict[int, bytes] = field(default_factory=dict)
    qe: dict[int, bytes] = field(default_factory=dict)
    td_15: bool = False
    svn_2: bytes = bytes([5, 0, 5]) + bytes(13)
    auth_data: bytes = bytes(range(32))
    bound: bytes | None = None
    chain_type: int = 5
    pck_form: dict[str, Any] = field(default_factory=dict)
    pck_name: str = "Intel SGX PCK Certificate"
    pck_issuer: Member = PLATFORM_CA
    pck_key: ec.EllipticCurvePrivateKey = PCK_KEY
    certified_key: ec.EllipticCurvePrivateKey = PCK_KEY
    svns: tuple[int, ...] = SVNS
    pce_svn: int = 10
    chain: list[Member] | None = None
    tcb_info: dict[str, Any] = field(default_factory=dict)
    qe_identity: dict[str, Any] = field(default_factory=dict)
    signer: Member = SIGNER
    collateral_changes: dict[str, Any] = field(default_factory=dict)
    root_revoked: tuple[int, ...] = ()
    pck_revoked: tuple[int, ...] = ()

    def verify(self, **changes):
        """What the verifier says about it."""
        arguments = {"collateral": self.collateral(), "at": NOON, "roots": ROOTS} | changes
        return verify_dcap(self.quote(), **arguments)

    def quote(self) -> bytes:
        """The quote's bytes."""
        signed = self._header() + self._body()
        key = point(ATTESTATION_KEY)
        bound = hashlib.sha256(key + self.auth_data).digest() if self.bound is None else self.bound
        report = patched(bytes(384), {128: QE_SIGNER, 256: b"\1\0", 258: b"\5\0", 320: bound})
        report = patched(report, self.qe)
        chain = b"".join(member.pem for member in self._chain())
        certification = (
            report
            + raw_signature(self.pck_key, report)
            + counted(2, self.auth_data)
            + self.chain_type.to_bytes(2, "little")
            + counted(4, chain)
        )
        if self.version > 3:
            certification = (6).to_bytes(2, "little") + counted(4, certification)
        return signed + counted(4, raw_signature(ATTESTATION_KEY, signed) + key + certification)

    def collateral(self) -> Collateral:
        """The collateral that goes with it."""
        return Collateral.from_json(self.collateral_json())

    def collateral_json(self) -> bytes:
        """The same, as it is kept in files."""
        members = self.info(), self.identity()
        info, identity = (json.dumps(each, separators=(",", ":")) for each in members)
        chain = (self.signer.pem + ROOT.pem).decode()
        parts = {
            "pck_crl_issuer_chain": (self.pck_issuer.pem + ROOT.pem).decode(),
            "root_ca_crl": revocation_list(ROOT, *self.root_revoked).hex(),
            "pck_crl": revocation_list(self.pck_issuer, *self.pck_revoked).hex(),
            "tcb_info_issuer_chain": chain,
            "tcb_info": info,
            "tcb_info_signature": raw_signature(self.signer.key, info.encode()).hex(),
            "qe_identity_issuer_chain": chain,
            "qe_identity": identity,
            "qe_identity_signature": raw_signature(self.signer.key, identity.encode()).hex(),
        }
        return json.dumps(parts | self.collateral_changes).encode()

    def info(self) -> dict[str, Any]:
        """TCB info, before it is signed."""
        info = {
            "id": "TDX" if self.tee == TDX else "SGX",
            "version": 3,
            **window(),
            "fmspc": FMSPC,
            "pceId": "0000",
            "tcbType": 0,
            "tcbEvaluationDataNumber": 17,
            "tdxModule": MODULE,
            "tcbLevels": [level("UpToDate"), level("OutOfDate", 1, tdx=(1, 0, 1))],
        }
        return copy.deepcopy(info | self.tcb_info)

    def identity(self) -> dict[str, Any]:
        """The QE identity, before it is signed."""
        identity = {
            "id": "TD_QE" if self.tee == TDX else "QE",
            "version": 2,
            **window(),
            "tcbEvaluationDataNumber": 17,
            "miscselect": "00000000",
            "miscselectMask": "FFFFFFFF",
            "attributes": "00" * 16,
            "attributesMask": "FF" * 16,
            "mrsigner": QE_SIGNER.hex().upper(),
            "isvprodid": 1,
            "tcbLevels": [enclave_level("UpToDate", 5), enclave_level("OutOfDate", 3)],
        }
        return copy.deepcopy(identity | self.qe_identity)

    def _header(self) -> bytes:
        header = self.version.to_bytes(2, "little") + b"\2\0" + self.tee.to_bytes(4, "little")
        vendor = bytes.fromhex("939a7233f79c4ca9940a0db3957f0607")
        return patched(header + bytes(4) + vendor + bytes(20), self.header)

    def _body(self) -> bytes:
        if self.tee == SGX:
            body = patched(bytes(384), {48: b"\5", 64: b"E" * 32, 128: b"S" * 32, 320: b"R" * 64})
        else:
            td = {0: bytes([5, 0, 5]), 123: b"\x10", 136: b"T" * 48, 520: b"R" * 64}
            extra = self.svn_2 + bytes(48) if self.td_15 else b""
            body = patched(bytes(584), td) + extra
        body = patched(body, self.body)
        if self.version < 5:
            return body
        kind = 1 if self.tee == SGX else 3 if self.td_15 else 2
        return kind.to_bytes(2, "little") + counted(4, body)

    def _chain(self) -> list[Member]:
        if self.chain is not None:
            return self.chain
        extension = sgx_extension(self.svns, self.pce_svn)
        form = {"serial": PCK_SERIAL, "extensions": [(extension, False)]} | self.pck_form
        pck = issue(self.pck_name, self.pck_issuer, Form(key=self.certified_key, **form))
        return [pck, self.pck_issuer, ROOT]


def text_of(collateral: Collateral) -> bytes:
    """Collateral as the one JSON object that it is kept as."""
    binary = {"root_ca_crl", "pck_crl", "tcb_info_signature", "qe_identity_signature"}
    parts = {name: getattr(collateral, name) for name in collateral.__slots__}
    return json.dumps(
        {name: part.hex() if name in binary else part.decode() for name, part in parts.items()}
    ).encode()


def window(*, start=-1, end=1) -> dict[str, str]:
    """Times of issue and of the next update, in days from NOON."""
    form = "%Y-%m-%dT%H:%M:%SZ"
    issued, update = (NOON + timedelta(days=days) for days in (start, end))
    return {"issueDate": issued.strftime(form), "nextUpdate": update.strftime(form)}


def patched(data: bytes, changes: dict[int, bytes]) -> bytes:
    """`data` with other bytes at some offsets."""
    changed = bytearray(data)
    for offset, piece in changes.items():
        changed[offset : offset + len(piece)] = piece
    assert len(changed) == len(data)
    return bytes(changed)


def raw_signature(key: ec.EllipticCurvePrivateKey, data: bytes) -> bytes:
    """r and s, 32 bytes each."""
    r, s = decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32) + s.to_bytes(32)


def point(key: ec.EllipticCurvePrivateKey) -> bytes:
    """x and y of a key, 32 bytes each."""
    numbers = key.public_key().public_numbers()
    return numbers.x.to_bytes(32) + numbers.y.to_bytes(32)


def counted(size: int, data: bytes) -> bytes:
    """`data` after its length in `size` bytes."""
    return len(data).to_bytes(size, "little") + data


def tlv(tag: int, *parts: bytes) -> bytes:
    """A DER value."""
    content = b"".join(parts)
    size = len(content)
    length = bytes([size]) if size < 128 else b"\x82" + size.to_bytes(2)
    return bytes([tag]) + length + content


def sgx_extension(svns, pce_svn, *, fmspc=FMSPC) -> library.UnrecognizedExtension:
    """What a PCK certificate says about its platform."""
    prefix = bytes.fromhex("2a864886f84d010d01")

    def pair(path: bytes, value: bytes) -> bytes:
        return tlv(0x30, tlv(0x06, prefix + path), value)

    def integer(value: int) -> bytes:
        return tlv(0x02, value.to_bytes(value.bit_length() // 8 + 1))

    tcb = [pair(bytes([2, number]), integer(svn)) for number, svn in enumerate(svns, 1)]
    tcb.append(pair(b"\2\x11", integer(pce_svn)))
    cpu_svn = bytes(min(svn, 255) for svn in svns)
    tcb.append(pair(b"\2\x12", tlv(0x04, cpu_svn)))
    extension = tlv(
        0x30,
        pair(b"\1", tlv(0x04, bytes(16))),
        pair(b"\2", tlv(0x30, *tcb)),
        pair(b"\3", tlv(0x04, bytes(2))),
        pair(b"\4", tlv(0x04, bytes.fromhex(fmspc))),
        pair(b"\5", tlv(0x0A, b"\0")),
    )
    return library.UnrecognizedExtension(
        library.ObjectIdentifier("1.2.840.113741.1.13.1"), extension
    )
