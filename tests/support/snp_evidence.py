"""SEV-SNP reports and certificates of a throw-away AMD, good or wrong in one named way.

Nothing here is by AMD: the root is our own, and only a test that pins it believes it.
"""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from support.throwaway_chain import NOON, YEAR, Member, authority, issue
from tabasco.verify.amd.report import Product
from tabasco.verify.amd.snp import Endorsements, verify_snp
from tabasco.verify.x509 import certificates

CHIP_KEY = ec.generate_private_key(ec.SECP384R1())
CHIP = bytes(range(1, 65))
MILAN_CPU, GENOA_CPU, TURIN_CPU = b"\x19\x01\x01", b"\x19\x11\x01", b"\x1a\x02\x01"
ALGORITHM = bytes.fromhex(
    "304106092a864886f70d01010a3034a00f300d06096086480165030402020500"
    "a11c301a06092a864886f70d010108300d06096086480165030402020500a203020130"
)


def _authority(name: str, issuer: Member | None, **form) -> Member:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = {"key": key, "pss": True, "hash": hashes.SHA384()} | form
    return issue(name, issuer, authority(**form))


class Line:
    """The authorities of one product line."""

    def __init__(self, product: Product) -> None:
        self.product = product
        self._name = product.name.capitalize()

    # Made when somebody wants them: most tests that load this do not.

    @cached_property
    def ark(self) -> Member:
        return _authority(f"ARK-{self._name}", None)

    @cached_property
    def ask(self) -> Member:
        return _authority(f"SEV-{self._name}", self.ark, path_length=0, serial=200)

    @cached_property
    def asvk(self) -> Member:
        return _authority(f"SEV-VLEK-{self._name}", self.ark, path_length=0, serial=201)


MILAN, TURIN = Line(Product.MILAN), Line(Product.TURIN)
GENOA = Line(Product.GENOA)
ROOTS = {certificates.digest(line.ark.certificate): line.product for line in (MILAN, GENOA, TURIN)}
TCB = {1: 4, 2: 0, 3: 24, 8: 219}
"""Security versions in a certificate, by the last arc of their identifiers."""


@dataclass
class Recipe:
    """How a report and its certificate are made; as it stands, a good one of Milan."""

    version: int = 3
    line: Line = field(default_factory=lambda: MILAN)
    fields: dict[int, bytes] = field(default_factory=dict)
    signature: dict[int, bytes] = field(default_factory=dict)
    big_endian: bool = False
    key: ec.EllipticCurvePrivateKey = CHIP_KEY
    kind: str = "VCEK"
    name: str | None = None
    issuer: Member | None = None
    named_issuer: Member | None = None
    signer: Any = None
    certified: dict[int, int] = field(default_factory=dict)
    csp_id: bytes | None = b"CN=a provider"
    hardware_id: bytes | None = None
    serial: int = 0
    certificate_key: Any = CHIP_KEY
    start: Any = NOON - YEAR
    end: Any = NOON + YEAR
    algorithm: bytes = ALGORITHM
    extra: tuple[bytes, ...] = ()
    authorities: tuple[Member, ...] | None = None
    crl: bytes | None = None

    def verify(self, **changes):
        """What the verifier says about it."""
        arguments = {"endorsements": self.endorsements(), "at": NOON, "roots": ROOTS} | changes
        return verify_snp(self.report(), **arguments)

    def report(self) -> bytes:
        """The report's bytes."""
        turin = self.line.product is Product.TURIN
        cpu = {"MILAN": MILAN_CPU, "GENOA": GENOA_CPU, "TURIN": TURIN_CPU}[self.line.product.name]
        tcb = bytes([1, 4, 0, 24, 0, 0, 0, 219]) if turin else bytes([4, 0, 0, 0, 0, 0, 24, 219])
        vlek = self.kind == "VLEK"
        chip = bytes(64) if vlek else CHIP[:8] + bytes(56) if turin else CHIP
        parts = {
            0: self.version.to_bytes(4, "little"),
            8: b"\x1f\0\3",
            0x34: b"\1",
            0x48: bytes([(1 if vlek else 0) << 2]),
            0x50: b"R" * 64,
            0x90: b"M" * 48,
            0x180: tcb,
            0x188: cpu if self.version > 2 else b"",
            0x1A0: chip,
        }
        signed = patched(patched(bytes(0x2A0), parts), self.fields)
        r, s = decode_dss_signature(self.key.sign(signed, ec.ECDSA(hashes.SHA384())))
        order = "big" if self.big_endian else "little"
        signature = r.to_bytes(48, order) + bytes(24) + s.to_bytes(48, order) + bytes(24 + 368)
        return signed + patched(signature, self.signature)

    def endorsements(self) -> Endorsements:
        """The certificates that go with it."""
        line = self.line
        given = self.authorities or (line.ask, line.ark, line.asvk)
        return Endorsements(self.certificate(), b"".join(each.pem for each in given), self.crl)

    def certificate(self) -> bytes:
        """The endorsement key's certificate in DER, with whatever serial number."""
        issuer = self.issuer or (self.line.asvk if self.kind == "VLEK" else self.line.ask)
        named_issuer = self.named_issuer or issuer
        body = tlv(
            0x30,
            bytes.fromhex("a003020102"),
            integer(self.serial),
            self.algorithm,
            named_issuer.certificate.subject.public_bytes(),
            tlv(0x30, utc(self.start), utc(self.end)),
            tlv(0x30, tlv(0x31, tlv(0x30, oid("550403"), tlv(0x0C, self._name().encode())))),
            self.certificate_key.public_key().public_bytes(
                serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
            ),
            tlv(0xA3, tlv(0x30, *self._extensions())),
        )
        scheme = padding.PSS(mgf=padding.MGF1(hashes.SHA384()), salt_length=48)
        signature = (self.signer or issuer.key).sign(body, scheme, hashes.SHA384())
        return tlv(0x30, body, self.algorithm, tlv(0x03, b"\0" + signature))

    def _name(self) -> str:
        return self.name or f"SEV-{self.kind}"

    def _extensions(self) -> list[bytes]:
        turin = self.line.product is Product.TURIN
        versions = TCB | ({9: 1} if turin else {}) | self.certified
        found = [amd(bytes([3, arc]), integer(value)) for arc, value in versions.items()]
        if self.kind == "VCEK":
            chip = CHIP[:8] if turin else CHIP
            found.append(amd(b"\4", chip if self.hardware_id is None else self.hardware_id))
        elif self.csp_id is not None:
            found.append(amd(b"\5", tlv(0x16, self.csp_id)))
        return [*found, *self.extra]


def patched(data: bytes, changes: dict[int, bytes]) -> bytes:
    """`data` with other bytes at some offsets."""
    changed = bytearray(data)
    for offset, piece in changes.items():
        changed[offset : offset + len(piece)] = piece
    assert len(changed) == len(data)
    return bytes(changed)


def tlv(tag: int, *parts: bytes) -> bytes:
    """A DER value."""
    content = b"".join(parts)
    size = len(content)
    if size < 128:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes([tag, 0x80 | len(length)]) + length + content


def oid(digits: str) -> bytes:
    return tlv(0x06, bytes.fromhex(digits))


def integer(value: int) -> bytes:
    return tlv(0x02, value.to_bytes(value.bit_length() // 8 + 1))


def utc(moment) -> bytes:
    return tlv(0x17, moment.strftime("%y%m%d%H%M%SZ").encode())


def amd(path: bytes, value: bytes, *, critical: bool = False) -> bytes:
    """One of AMD's extensions."""
    flag = tlv(0x01, b"\xff") if critical else b""
    identifier = tlv(0x06, bytes.fromhex("2b060104019c7801") + path)
    return tlv(0x30, identifier, flag, tlv(0x04, value))
