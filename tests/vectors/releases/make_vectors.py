"""Make the files of this folder: a release and its key, by `cbor2` and `cryptography` alone."""

from pathlib import Path

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

HERE = Path(__file__).parent
KEY = ec.generate_private_key(ec.SECP256R1())
NAME = "veracruz-runtime-image 0.1.0"
VALIDITY = {0: cbor2.CBORTag(1, 1_767_225_600), 1: cbor2.CBORTag(1, 4_102_444_800)}
VALUES = {"aarch64": b"\x22" * 32, "x86_64": b"\x11" * 32}


def main() -> None:
    """Write them."""
    triples = [
        [
            {0: {1: "veracruz", 2: "psa"}},
            [{0: "ARoT", 1: {0: {0: "0.1.0"}, 2: [[1, value]], 11: architecture}}],
        ]
        for architecture, value in VALUES.items()
    ]
    module = cbor2.CBORTag(506, cbor2.dumps({1: {0: NAME}, 4: {0: triples}}))
    payload = cbor2.dumps(cbor2.CBORTag(501, {0: NAME, 1: [module], 4: VALIDITY}))
    meta = cbor2.dumps({0: {0: "Example releases"}, 1: VALIDITY})
    protected = cbor2.dumps({1: -7, 3: "application/rim+cbor", 8: meta})
    data = cbor2.dumps(["Signature1", protected, b"", payload])
    r, s = decode_dss_signature(KEY.sign(data, ec.ECDSA(hashes.SHA256())))
    signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    signed = cbor2.dumps(cbor2.CBORTag(18, [protected, {}, payload, signature]))
    (HERE / "veracruz-runtime-image-0.1.0.corim").write_bytes(signed)
    pem = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (HERE / "release-key.pem").write_bytes(pem)


if __name__ == "__main__":
    main()
