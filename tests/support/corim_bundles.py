"""Signed CoRIMs made by hand: encoded by `cbor2`, signed by `cryptography`."""

from collections.abc import Mapping

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec

from psa_attestation.corim.bundle import read_unsigned_corim
from psa_attestation.corim.comid import Comid
from psa_attestation.corim.profiles import CCA_PROFILE
from support.psa_tokens import sign1_by_hand
from veracruz_utils.key_files import pem_of

_ENDS = 4_000_000_000


def bundle_of_keys(
    keys: Mapping[bytes, ec.EllipticCurvePublicKey],
    signer: ec.EllipticCurvePrivateKey,
    *,
    not_before: int,
) -> bytes:
    """A bundle of the CCA profile with the keys of platforms by their instance ids."""
    triples = [
        [
            {0: {0: cbor2.CBORTag(560, b"\x33" * 32)}, 1: cbor2.CBORTag(550, instance)},
            [cbor2.CBORTag(554, pem_of(key).decode())],
        ]
        for instance, key in keys.items()
    ]
    comid = {1: {0: b"\x44" * 16}, 4: {3: triples}}
    validity = {0: cbor2.CBORTag(1, not_before), 1: cbor2.CBORTag(1, _ENDS)}
    corim = {
        0: "keys",
        1: [cbor2.CBORTag(506, cbor2.dumps(comid))],
        3: cbor2.CBORTag(32, CCA_PROFILE),
        4: validity,
    }
    meta = cbor2.dumps({0: {0: "maker"}, 1: validity})
    protected = {1: -7, 3: "application/rim+cbor", 8: meta}
    return sign1_by_hand(cbor2.dumps(cbor2.CBORTag(501, corim)), signer, protected=protected)


def read_comid(data: bytes) -> Comid:
    """A CoMID that stands alone, with or without its tag (506), read in a bundle of its own."""
    tagged = data if data.startswith(b"\xd9\x01\xfa") else b"\xd9\x01\xfa" + cbor2.dumps(data)
    (comid,) = read_unsigned_corim(b"\xd9\x01\xf5\xa2\x00\x62id\x01\x81" + tagged, at=0).comids
    return comid
