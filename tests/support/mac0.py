"""COSE_Mac0 messages for tests: nothing in the product makes one, it only verifies them."""

from psa_attestation.cbor.encoding import encode
from psa_attestation.cbor.values import Tag
from psa_attestation.cose.signing import ALG, to_be_signed


def mac0(payload, key, *, external_aad=b""):
    """`payload` in a COSE_Mac0 with tag 17, by a `MacKey`."""
    protected = encode({ALG: key.algorithm.value})
    data = to_be_signed("MAC0", protected, external_aad, payload)
    return encode(Tag(17, [protected, {}, payload, key.mac(data)]))
