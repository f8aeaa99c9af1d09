"""Evidence in the forms of clouds, made here of published parts or signed by throw-away keys."""

import base64
import json
import struct
from dataclasses import dataclass, field

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from support.jwts import part
from support.nitro_documents import MADE
from support.nitro_documents import Recipe as NitroRecipe
from support.tpm_quotes import EC_KEY, Recipe, ec_signature, rsa_key, rsa_signature, sized

NOW = int(MADE.timestamp())
PCRS = {index: bytes([index]) * 48 for index in range(24)}
SHA256 = {index: bytes([index]) * 32 for index in range(24)}
POINT = EC_KEY.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
NONCE = b"nonce of the challenger"
MAA_CLAIMS = {
    "iss": "https://sharedxyz.xyz.attest.azure.net",
    "iat": NOW - 10,
    "nbf": NOW - 10,
    "exp": NOW + 600,
    "x-ms-attestation-type": "sgx",
    "x-ms-sgx-mrenclave": "ab" * 32,
    "x-ms-sgx-mrsigner": "cd" * 32,
    "x-ms-sgx-report-data": "ef" * 64,
    "x-ms-sgx-is-debuggable": False,
    "x-ms-policy-hash": "a hash",
    "nonce": "a nonce",
}
SNP_CLAIMS = {
    "x-ms-attestation-type": "sevsnpvm",
    "x-ms-compliance-status": "azure-compliant-cvm",
    "x-ms-sevsnpvm-is-debuggable": False,
    "x-ms-sevsnpvm-launchmeasurement": "11" * 48,
    "x-ms-sevsnpvm-hostdata": "22" * 32,
    "x-ms-sevsnpvm-reportdata": "33" * 64,
    "x-ms-sevsnpvm-vmpl": 0,
}


def rs256(claims: object, *, key=None, **header) -> bytes:
    """A token signed with RS256; bytes stand as they are."""
    header = {"alg": "RS256", "typ": "JWT", "kid": "the key"} | header
    encoded = [
        part(each if isinstance(each, bytes) else json.dumps(each).encode())
        for each in ({k: v for k, v in header.items() if v is not None}, claims)
    ]
    signed = ".".join(encoded)
    signature = (key or rsa_key()).sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{signed}.{part(signature)}".encode()


def nitro_tpm(**changes) -> bytes:
    """A document of NitroTPM under the throw-away root, which binds the EC key."""
    members = {
        "nitrotpm_pcrs": PCRS,
        "module_id": "i-0-tpm0000000000000000",
        "public_key": POINT,
        "nonce": NONCE,
    }
    return NitroRecipe(members | changes, without="pcrs").document()


@dataclass
class Cloud:
    """A quote in the JSON of vaportpm, right unless changed."""

    registers: dict = field(default_factory=lambda: {"sha256": SHA256})
    document: bytes | None = None
    chain: str | None = None
    changes: dict = field(default_factory=dict)
    key: ec.EllipticCurvePrivateKey = EC_KEY

    def json(self) -> bytes:
        """The text."""
        message = Recipe(registers=self.registers).message()
        signature = self.key.sign(message, ec.ECDSA(hashes.SHA256()))
        attestation: dict = {
            "tpm": {"ecc_p256": {"attest_data": message.hex(), "signature": signature.hex()}}
        }
        if self.document is not None:
            attestation["nitro"] = {"document": self.document.hex()}
        if self.chain is not None:
            attestation["gcp"] = {"ak_cert_chain": self.chain}
        document = {
            "nonce": NONCE.hex(),
            "pcrs": {
                bank: {str(index): value.hex() for index, value in values.items()}
                for bank, values in self.registers.items()
            },
            "ak_pubkeys": {"ecc_p256": {"x": POINT[1:33].hex(), "y": POINT[33:].hex()}},
            "attestation": attestation,
        }
        return json.dumps(document | self.changes).encode()


def keylime(registers=None, *, blob: bytes | None = None, signature=ec_signature) -> bytes:
    """A quote as Keylime writes it."""
    registers = {"sha256": {0: bytes(32), 10: b"\1" * 32}} if registers is None else registers
    message = Recipe(registers=registers).message()
    blob = keylime_registers(registers) if blob is None else blob
    parts = (message, signature(message), blob)
    return b"r" + b":".join(map(base64.b64encode, parts))


def keylime_registers(registers) -> bytes:
    """Structures of `tpm2_quote`, as they lie in memory."""
    numbers = {"sha1": 4, "sha256": 0x0B, "sha384": 0x0C, "sha512": 0x0D}
    blob = struct.pack("<I", len(registers))
    for bank, values in registers.items():
        bits = sum(1 << index for index in values)
        blob += struct.pack("<HB", numbers[bank], 3) + bits.to_bytes(4, "little") + b"\0"
    blob = blob.ljust(4 + 16 * 8, b"\0")
    values = [value for bank in registers.values() for _, value in sorted(bank.items())]
    lists = [values[start : start + 8] for start in range(0, len(values), 8)]
    blob += struct.pack("<I", len(lists))
    for each in lists:
        entries = b"".join(struct.pack("<H", len(v)) + v.ljust(64, b"\0") for v in each)
        blob += struct.pack("<I", len(each)) + entries.ljust(8 * 66, b"\0")
    return blob


def bare_rsa(message: bytes) -> bytes:
    """The RSA key's signature without the header that a TPM gives it."""
    return rsa_signature(message)[6:]


def trustee_quote(form: str = "hex") -> bytes:
    """A quote in a form of Azure's library, signed by the RSA key."""
    message = Recipe(registers={"sha256": SHA256}).message()
    signature = bare_rsa(message)
    if form == "bincode":
        head = struct.pack("<Q", len(signature)) + signature
        head += struct.pack("<Q", len(message)) + message
        return head + struct.pack("<Q", 24) + b"".join(SHA256.values())
    write = bytes.hex if form == "hex" else list
    return json.dumps(
        {
            "signature": write(signature),
            "message": write(message),
            "pcrs": [write(value) for value in SHA256.values()],
        }
    ).encode()


def rsa_area(attributes: int = 0x50472) -> bytes:
    """The RSA key's public area (TPMT_PUBLIC), as its TPM would describe it."""
    modulus = rsa_key().public_key().public_numbers().n.to_bytes(256)
    head = struct.pack(">HHIHHHHHI", 1, 0x0B, attributes, 0, 0x10, 0x14, 0x0B, 2048, 0)
    return head + sized(modulus)


def go_attestation(registers=None, *, area: bytes | None = None) -> bytes:
    """A quote in the JSON of go-attestation, signed by the RSA key."""
    registers = SHA256 if registers is None else registers
    message = Recipe(registers={"sha256": registers}).message()
    pcrs = [
        {"Index": index, "Digest": base64.b64encode(value).decode(), "DigestAlg": 5}
        for index, value in registers.items()
    ]
    quote = {
        "Quote": base64.b64encode(message).decode(),
        "Signature": base64.b64encode(rsa_signature(message)).decode(),
    }
    public = {"Public": base64.b64encode(rsa_area() if area is None else area).decode()}
    return json.dumps({"AK": public, "Quote": quote, "Log": {"PCRs": pcrs}}).encode()


def azure_old(evidence: bytes) -> bytes:
    """Trustee's evidence of version 1 in the form before it."""

    def octets(text: str) -> list[int]:
        return list(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))

    document = json.loads(evidence)
    quote = {
        name: list(bytes.fromhex(value))
        if isinstance(value, str)
        else [list(bytes.fromhex(each)) for each in value]
        for name, value in document["tpm_quote"].items()
    }
    if "vcek" in document:
        der = bytes(octets(document["vcek"]))
        pem = "-----BEGIN CERTIFICATE-----\n" + base64.b64encode(der).decode()
        return json.dumps(
            {
                "quote": quote,
                "report": octets(document["hcl_report"]),
                "vcek": pem + "\n-----END CERTIFICATE-----\n",
            }
        ).encode()
    names = ("hcl_report", "td_quote")
    return json.dumps({"tpm_quote": quote} | {n: octets(document[n]) for n in names}).encode()


def azure_parts(evidence: bytes) -> tuple[bytes, bytes, bytes]:
    """The paravisor's report, the hardware's evidence and the quote of evidence of version 1."""
    document = json.loads(evidence)
    names = ("hcl_report", "vcek" if "vcek" in document else "td_quote")
    report, hardware = (
        base64.urlsafe_b64decode(document[name] + "=" * (-len(document[name]) % 4))
        for name in names
    )
    return report, hardware, json.dumps(document["tpm_quote"]).encode()
