"""Principals who are not who they say."""

import warnings

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import crypto

from baja import KeyAndCertificate


def thief_of(victim: KeyAndCertificate) -> KeyAndCertificate:
    """The victim's certificate with a stranger's key, which OpenSSL takes for the right one.

    The key's private number is the stranger's and its public point the victim's; nobody compares.
    """
    stranger = ec.generate_private_key(ec.SECP256R1())
    der = stranger.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    points = [
        key.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
        for key in (stranger, victim.private_key)
    ]
    assert der.count(points[0]) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        key = crypto.load_privatekey(crypto.FILETYPE_ASN1, der.replace(*points))
    return KeyAndCertificate(key, victim.certificate)
