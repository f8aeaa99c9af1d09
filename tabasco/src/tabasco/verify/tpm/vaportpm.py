"""Quotes of cloud TPMs in the JSON of vaportpm: registers by bank and index, one key, one quote.

Its key is on P-256, and who certifies it comes along: on Google's machines a chain of certificates,
on AWS's a document of NitroTPM that binds the key. The nonce that it names is the sender's word and
not used: what counts is the quote's.
"""

from collections.abc import Mapping
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from psa_attestation.jose.strict_json import decode_json
from tabasco.verify.conversion import as_evidence_error
from tabasco.verify.errors import malformed
from tabasco.verify.tpm.quote_json import TpmEvidence, parse_registers
from tabasco.verify.tpm.structures import QuoteSignature
from tabasco.verify.tpm.trustee_quote import hexadecimal
from veracruz_utils.frozen import frozen
from veracruz_utils.strict_json import JsonValue

_KEY: Final = "ecc_p256"
_COORDINATE_BYTES: Final = 32


@frozen
class CloudQuote:
    """A quote, and the document of NitroTPM that goes with it; empty where there is none."""

    quote: TpmEvidence
    document: bytes


def is_cloud_quote(data: bytes) -> bool:
    """Whether some JSON is meant to be this."""
    return b'"ak_pubkeys"' in data and b'"attestation"' in data


def has_document(data: bytes) -> bool:
    """Whether such JSON has a document of NitroTPM."""
    return b'"nitro"' in data


def parse_cloud_quote(data: bytes) -> CloudQuote:
    """The quote that `data` is.

    Raises:
        EvidenceError: stage `format`.
    """
    with as_evidence_error("the evidence"):
        document = _object(decode_json(data), "the evidence")
    attestation = _object(document.get("attestation"), "attestation")
    quotes = _object(attestation.get("tpm"), "the quotes")
    quote = _object(quotes.get(_KEY), f"the quote by {_KEY}")
    chain = _object(attestation.get("gcp") or {}, "gcp").get("ak_cert_chain") or ""
    if not isinstance(chain, str):
        raise malformed("the chain of the attestation key is not text")
    nitro = _object(attestation.get("nitro") or {}, "nitro").get("document")
    return CloudQuote(
        quote=TpmEvidence(
            public_key=_public_key(document.get("ak_pubkeys")),
            message=hexadecimal(quote.get("attest_data"), "the quote"),
            signature=_signature(hexadecimal(quote.get("signature"), "the signature")),
            registers=parse_registers(document.get("pcrs")),
            certificates=chain.encode(),
        ),
        document=b"" if nitro is None else hexadecimal(nitro, "the document"),
    )


def _public_key(value: JsonValue) -> bytes:
    point = _object(_object(value, "ak_pubkeys").get(_KEY), f"the key {_KEY}")
    parts = [hexadecimal(point.get(name), f"the key's {name}") for name in ("x", "y")]
    if any(len(part) != _COORDINATE_BYTES for part in parts):
        raise malformed(f"the key {_KEY} is not of two numbers of {_COORDINATE_BYTES} bytes")
    x, y = (int.from_bytes(part) for part in parts)
    try:
        key = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    except ValueError as error:
        raise malformed(f"the key {_KEY} is not a point of P-256") from error
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _signature(value: bytes) -> QuoteSignature:
    try:
        decode_dss_signature(value)
    except ValueError as error:
        raise malformed("the signature is not one of ECDSA in DER") from error
    return QuoteSignature("ecdsa", hashes.SHA256(), value)


def _object(value: JsonValue, name: str) -> Mapping[str, JsonValue]:
    if not isinstance(value, dict):
        raise malformed(f"{name} is not an object")
    return value
