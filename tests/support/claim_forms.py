"""Keys and sets of claims in the forms in which others publish them, read without our own code."""

import ast
import base64
import re

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec


def _number(jwk, name):
    if f"{name}_hex" in jwk:
        return int(jwk[f"{name}_hex"], 16)
    return int.from_bytes(unbase64(jwk[name]))


def unbase64(text):
    """base64url without padding."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def public_key(jwk):
    """The key in a JWK, of which some have hexadecimal coordinates."""
    curve = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}
    numbers = ec.EllipticCurvePublicNumbers(_number(jwk, "x"), _number(jwk, "y"), curve[jwk["crv"]])
    return numbers.public_key()


# The claim names of Veraison's JSON form, with their keys in the two older profiles.
_PSA_KEYS = {
    "eat-profile": (265, None),
    "psa-profile": (None, -75000),
    "psa-client-id": (2394, -75001),
    "psa-security-lifecycle": (2395, -75002),
    "psa-implementation-id": (2396, -75003),
    "psa-boot-seed": (2397, -75004),
    "psa-certification-reference": (2398, -75005),
    "psa-software-components": (2399, -75006),
    "psa-no-software-measurements": (None, -75007),
    "psa-nonce": (10, -75008),
    "psa-instance-id": (256, -75009),
    "psa-verification-service-indicator": (2400, -75010),
}
_COMPONENT_KEYS = {
    "measurement-type": 1,
    "measurement-value": 2,
    "version": 4,
    "signer-id": 5,
    "measurement-description": 6,
}
_BYTES = {"psa-implementation-id", "psa-boot-seed", "psa-nonce", "psa-instance-id"} | {
    "measurement-value",
    "signer-id",
}


def psa_from_json(document, column):
    """The CBOR of PSA claims in Veraison's JSON form, for one of the two older profiles."""

    def value(name, raw):
        if name == "psa-software-components":
            return [
                {_COMPONENT_KEYS[key]: value(key, member) for key, member in entry.items()}
                for entry in raw
            ]
        return base64.b64decode(raw) if name in _BYTES else raw

    return cbor2.dumps(
        {
            _PSA_KEYS[name][column]: value(name, raw)
            for name, raw in document.items()
            if name in _PSA_KEYS and _PSA_KEYS[name][column] is not None
        }
    )


def from_diagnostic(text):
    """The bytes of a map in CBOR diagnostic notation, as far as the vectors use it."""

    def literal(match):
        token = "".join(line.strip() for line in match[0].splitlines())
        if token.startswith("/"):
            return ""
        return repr(bytes.fromhex(token[2:-1]) if token.startswith("h'") else token[1:-1])

    plain = re.sub(r"""\"[^"]*\"|h'[^']*'|/[^/]*/""", literal, text)
    return cbor2.dumps(ast.literal_eval(plain.strip()))


_CCA_KEYS = {
    "cca-realm-challenge": 10,
    "cca-realm-personalization-value": 44235,
    "cca-realm-hash-algo-id": 44236,
    "cca-realm-public-key": 44237,
    "cca-realm-initial-measurement": 44238,
    "cca-realm-extensible-measurements": 44239,
    "cca-realm-public-key-hash-algo-id": 44240,
}


def cca_from_json(claims):
    """The CBOR of claims in a realm in Veraison's JSON form."""

    def value(name, raw):
        if isinstance(raw, list):
            return [base64.b64decode(entry) for entry in raw]
        return raw if name.endswith("-algo-id") else base64.b64decode(raw)

    return cbor2.dumps({_CCA_KEYS[name]: value(name, raw) for name, raw in claims.items()})
