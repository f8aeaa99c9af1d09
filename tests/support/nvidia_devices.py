"""Reports, reference values and tokens of a throw-away NVIDIA, good or wrong in a named way.

Nothing here is by NVIDIA: the roots are our own, and only a test that pins them believes them.
"""

import base64
import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from psa_attestation.jose.base64url import to_base64url
from support.throwaway_chain import NOON, Form, Member, authority, issue
from tabasco.verify.nvidia.device import verify_device
from tabasco.verify.nvidia.evidence_json import DeviceEvidence
from tabasco.verify.proven import Proven
from tabasco.verify.x509 import certificates
from tabasco.verify.xml.canonical import canonical
from tabasco.verify.xml.tree import XmlElement, parse

NONCE = bytes(range(32))
DRIVER, VBIOS = "580.95.05", "96.00.74.00.1A"
FIRMWARE = b"\xf1" * 48
MEASURED = {index: bytes([index]) * 48 for index in (0, 1, 7, 35)}
ENDLESS = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
OPAQUE = {
    3: DRIVER.encode() + b"\0",
    6: bytes.fromhex("007400961a000000"),
    11: b"\x55",
    14: b"\xb1\x03\0\0",
    20: FIRMWARE,
    21: b"\x55",
    36: b"\0\0",
}
"""What a GPU says besides, by type: driver, VBIOS, decoder, board, firmware, PCIe, mode."""
_FIRMWARE_EXTENSION = x509.ObjectIdentifier("2.23.133.5.4.1")
_TCB_INFO_EXTENSION = x509.ObjectIdentifier("2.23.133.5.4.1.1")
_SHA384 = bytes.fromhex("0609608648016503040202")
_P384 = {"curve": ec.SECP384R1, "hash": hashes.SHA384()}


def der(tag: int, *parts: bytes) -> bytes:
    """A DER value of at most 255 bytes."""
    content = b"".join(parts)
    length = bytes([len(content)]) if len(content) < 128 else bytes([0x81, len(content)])
    return bytes([tag]) + length + content


def digest_in_der(digest: bytes) -> bytes:
    """A FWID of TCG's DICE."""
    return der(0x30, _SHA384, der(4, digest))


def composite_device_id(digest: bytes) -> tuple[x509.ExtensionType, bool]:
    """The older extension that names firmware."""
    value = der(0x30, der(2, b"\1"), der(0x30, der(4, b"key")), digest_in_der(digest))
    return x509.UnrecognizedExtension(_FIRMWARE_EXTENSION, value), False


def tcb_info(*digests: bytes) -> tuple[x509.ExtensionType, bool]:
    """The newer one."""
    listed = der(0xA6, *map(digest_in_der, digests))
    value = der(0x30, der(0x80, b"NVIDIA"), der(0x81, b"GB100"), listed)
    return x509.UnrecognizedExtension(_TCB_INFO_EXTENSION, value), False


def _authority(name: str, issuer: Member | None, serial: int) -> Member:
    return issue(name, issuer, authority(**_P384, serial=serial, end=ENDLESS))


ROOT = _authority("NVIDIA Device Identity CA", None, 1)
IDENTITY = _authority("NVIDIA GH100 Identity", ROOT, 2)
BOOT_ROM = _authority("GH100 A01 GSP BROM", IDENTITY, 3)
RIM_ROOT = _authority("NVIDIA CoRIM signing Root CA", None, 4)
RIM_SIGNER = issue("HCC RIM L4 Signer", RIM_ROOT, Form(**_P384, serial=5))
ROOTS = {certificates.digest(each.certificate) for each in (ROOT, RIM_ROOT)}
SERVICE = ec.derive_private_key(0x9A5, ec.SECP384R1())


def signing_key(
    name: str = "GH100 A01 GSP FMC LF", *, serial: int = 77, extensions=None, issuer=BOOT_ROM
) -> Member:
    """A device's key; as it stands, one for the usual firmware."""
    given = [composite_device_id(FIRMWARE)] if extensions is None else extensions
    return issue(name, issuer, Form(**_P384, serial=serial, end=ENDLESS, extensions=given))


LEAF = signing_key()
SECOND_LEAF = signing_key(serial=78)


def raw_signature(key: ec.EllipticCurvePrivateKey, data: bytes) -> bytes:
    """R and s of ECDSA with SHA-384, big-endian."""
    r, s = decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA384())))
    return r.to_bytes(48) + s.to_bytes(48)


def block(index: int, value: bytes, *, kind: int = 1, specification: int = 1) -> bytes:
    """A measurement block; `index` is SPDM's, which counts from 1."""
    inner = bytes([kind]) + len(value).to_bytes(2, "little") + value
    return bytes([index, specification]) + len(inner).to_bytes(2, "little") + inner


@dataclass(frozen=True)
class Device:
    """How a report and its certificates are made; as it stands, a good one of a GPU."""

    nonce: bytes = NONCE
    measured: dict[int, bytes] = field(default_factory=lambda: MEASURED)
    opaque: dict[int, bytes] = field(default_factory=lambda: OPAQUE)
    leaf: Member = LEAF
    above: tuple[Member, ...] = (BOOT_ROM, IDENTITY, ROOT)
    request: bytes = b"\x11\xe0\x01\xff"
    slot: int = 0
    answer: bytes = b"\x11\x60\x00\x00"
    blocks: bytes | None = None
    count: int | None = None
    fields: bytes | None = None
    rest: bytes = b""

    @property
    def report(self) -> bytes:
        """The bytes that the driver hands out."""
        made = b"".join(block(i + 1, value) for i, value in self.measured.items())
        record = made if self.blocks is None else self.blocks
        count = len(self.measured) if self.count is None else self.count
        fields = b"".join(
            kind.to_bytes(2, "little") + len(value).to_bytes(2, "little") + value
            for kind, value in self.opaque.items()
        )
        fields = fields if self.fields is None else self.fields
        signed = (
            self.request + self.nonce + bytes([self.slot]) + self.answer + bytes([count])
            + len(record).to_bytes(3, "little") + record + b"\xaa" * 32
            + len(fields).to_bytes(2, "little") + fields
        )  # fmt: skip
        return signed + raw_signature(self.leaf.key, signed) + self.rest

    @property
    def chain(self) -> bytes:
        """The certificates in PEM, from the signer's to the root."""
        return b"".join(each.pem for each in (self.leaf, *self.above))

    @property
    def entry(self) -> dict[str, str]:
        """As NVIDIA's SDKs write it."""
        return {
            "arch": "HOPPER",
            "nonce": self.nonce.hex(),
            "evidence": base64.b64encode(self.report).decode(),
            "certificate": base64.b64encode(self.chain).decode(),
        }

    def verify(self, **more) -> Proven:
        """What it proves."""
        device = DeviceEvidence(self.report, self.chain)
        return verify_device(device, **({"at": NOON, "roots": ROOTS} | more))


def device_list(*devices: Device) -> bytes:
    """Evidence of several devices."""
    return json.dumps([each.entry for each in devices]).encode()


SWID = "http://standards.iso.org/iso/19770/-2/2015/schema.xsd"
_FORM = """<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:SignedInfo>\
<ds:CanonicalizationMethod Algorithm="{canonical}"/>\
<ds:SignatureMethod Algorithm="{method}"/>\
<ds:Reference URI="{uri}"><ds:Transforms>{transforms}</ds:Transforms>\
<ds:DigestMethod Algorithm="{digest}"/>\
<ds:DigestValue>DIGEST</ds:DigestValue></ds:Reference></ds:SignedInfo>\
<ds:SignatureValue>VALUE</ds:SignatureValue><ds:KeyInfo><ds:X509Data>{certificates}\
</ds:X509Data></ds:KeyInfo></ds:Signature>"""
C14N11 = "http://www.w3.org/2006/12/xml-c14n11"
ENVELOPED = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"


@dataclass(frozen=True)
class Rim:
    """How reference values are written and signed; as they stand, those of the driver."""

    version: str = DRIVER
    product: str = "GH100"
    values: dict[int, tuple[bytes, ...]] = field(default_factory=lambda: {7: (MEASURED[7],)})
    inactive: tuple[int, ...] = (2, 3)
    signer: Member = RIM_SIGNER
    above: tuple[Member, ...] = (RIM_ROOT,)
    resources: str = ""
    canonical: str = C14N11
    method: str = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384"
    digest: str = "http://www.w3.org/2001/04/xmldsig-more#sha384"
    uri: str = ""
    transforms: tuple[str, ...] = (ENVELOPED, C14N11)

    @property
    def document(self) -> str:
        """The document, unsigned, with a mark where the signature goes."""
        lines = [self._resource(index, each) for index, each in self.values.items()]
        lines += [self._resource(index, (bytes(48),), active=False) for index in self.inactive]
        return (
            f'<SoftwareIdentity xmlns="{SWID}" xmlns:ns0="{SWID}"\n'
            f' xmlns:ns2="http://www.w3.org/2001/04/xmlenc#sha384" name="{self.product}"'
            f' tagId="560b6686" tagVersion="0">\n'
            f'  <ns0:Entity name="NVIDIA &amp; Co" role="tagCreator"/>\n'
            f'  <ns0:Meta xmlns:ns1="urn:rim" colloquialVersion="{self.version}" edition="GPU"'
            f' product="{self.product}" ns1:BindingSpec="RIMIM"/>\n'
            f"  <ns0:Payload>\n    {''.join(lines)}{self.resources}\n  </ns0:Payload>\n"
            "SIGNATURE</SoftwareIdentity>\n"
        )

    @staticmethod
    def _resource(index: int, values: tuple[bytes, ...], *, active: bool = True) -> str:
        shown = " ".join(f'ns2:Hash{i}="{each.hex()}"' for i, each in enumerate(values))
        return (
            f'<ns0:Resource type="Measurement" index="{index}" active="{active}"'
            f' alternatives="{len(values)}" {shown} name="Measurement_{index}" size="48"/>'
        )

    @property
    def form(self) -> str:
        """The signature, with marks for digest and value."""
        chain = "".join(
            f"<ds:X509Certificate>\n{base64.b64encode(each.der).decode()}\n</ds:X509Certificate>"
            for each in (self.signer, *self.above)
        )
        return _FORM.format(
            canonical=self.canonical, method=self.method, uri=self.uri, digest=self.digest,
            transforms="".join(f'<ds:Transform Algorithm="{each}"/>' for each in self.transforms),
            certificates=chain,
        )  # fmt: skip

    def sign(self) -> bytes:
        """The signed document."""
        return signed_document(self.document.encode(), self.form, self.signer)


def signed_document(document: bytes, form: str = "", signer: Member = RIM_SIGNER) -> bytes:
    """A document with a signature at its mark; of the usual form where none is given.

    Raises:
        EvidenceError: it is not XML.
    """
    form = form or Rim().form
    without = parse(document.replace(b"SIGNATURE", b""))
    digest = base64.b64encode(hashlib.sha384(canonical(without)).digest()).decode()
    whole = document.replace(b"SIGNATURE", form.replace("DIGEST", digest).encode())
    root = parse(whole)
    if not any(each.name.local == "Signature" for each in root.elements):
        return whole
    value = raw_signature(signer.key, canonical(_signed_info(root)))
    return whole.replace(b"VALUE", base64.b64encode(value))


def _signed_info(root: XmlElement) -> XmlElement:
    signature = next(each for each in root.elements if each.name.local == "Signature")
    return next(signature.elements)


FIRMWARE_RIM = Rim(version=VBIOS, values={0: (MEASURED[0],), 1: (b"\xee" * 48, MEASURED[1])})

ISSUED = int(NOON.timestamp())
OVERALL = {
    "iss": "https://nras.attestation.nvidia.com",
    "sub": "NVIDIA-PLATFORM-ATTESTATION",
    "x-nvidia-ver": "3.0",
    "x-nvidia-overall-att-result": True,
    "eat_nonce": NONCE.hex(),
    "iat": ISSUED,
    "nbf": ISSUED,
    "exp": ISSUED + 3600,
}
GOOD_CHAIN = {"x-nvidia-cert-status": "valid", "x-nvidia-cert-ocsp-status": "good"}
GPU = {
    **{name: OVERALL[name] for name in ("iss", "eat_nonce", "iat", "nbf", "exp")},
    "hwmodel": "GH100",
    "ueid": "478176379286082186618948445787393647364802107249",
    "oemid": "5703",
    "secboot": True,
    "dbgstat": "disabled",
    "measres": "success",
    "x-nvidia-gpu-driver-version": DRIVER,
    "x-nvidia-gpu-vbios-version": VBIOS,
    "x-nvidia-gpu-attestation-report-parsed": True,
    "x-nvidia-gpu-driver-rim-cert-chain": GOOD_CHAIN,
    "x-nvidia-attestation-warning": None,
}


def token(claims: object, *, kid: str | None = "k", alg: str = "ES384", key=SERVICE) -> str:
    """A JWT of the service."""
    header = {"alg": alg} | ({} if kid is None else {"kid": kid})
    signed = ".".join(to_base64url(json.dumps(each).encode()) for each in (header, claims))
    return f"{signed}.{to_base64url(raw_signature(key, signed.encode()))}"


def digest_of(text: str) -> list[object]:
    """A submodule that is in another token."""
    return ["DIGEST", ["SHA-256", hashlib.sha256(text.encode()).hexdigest()]]


def bundle(devices=None, overall=None, *, submods=None, **signing) -> bytes:
    """A bundle about `devices` (claims by name; as it stands, one GPU), signed."""
    devices = {"GPU-0": GPU} if devices is None else devices
    tokens = {name: token(claims, **signing) for name, claims in devices.items()}
    digests = {name: digest_of(text) for name, text in tokens.items()}
    claims = {**OVERALL, "submods": digests if submods is None else submods, **(overall or {})}
    return json.dumps([["JWT", token(claims, **signing)], tokens]).encode()


def bundle_by_hand(payload: bytes) -> bytes:
    """A bundle whose token about a device has this content, whatever it is."""
    head = to_base64url(json.dumps({"alg": "ES384", "kid": "k"}).encode())
    signed = f"{head}.{to_base64url(payload)}"
    text = f"{signed}.{to_base64url(raw_signature(SERVICE, signed.encode()))}"
    overall = token({**OVERALL, "submods": {"GPU-0": digest_of(text)}})
    return json.dumps([["JWT", overall], {"GPU-0": text}]).encode()
