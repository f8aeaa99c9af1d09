"""The keys that may have signed, out of the files that `--key` names, whatever form they have."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    load_der_public_key,
    load_pem_private_key,
    load_pem_public_key,
)

from psa_attestation.errors import AttestationError
from tabasco.errors import TabascoError
from tabasco.verify.jose.keys import MAX_KEY_SET_BYTES, TokenKey, read_key_document
from tabasco.verify.means import CandidateKey
from veracruz_shells.console import note, read_file

_BLOCK: Final = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,40})-----.*?-----END \1-----", re.DOTALL)
_MAX_BLOCKS: Final = 64


def keys_in(given: Sequence[str]) -> dict[str, Any]:
    """Keys by the ids that they are given for or that a set names them by, and all others.

    Raises:
        TabascoError: a file has no key that is used, or two of them have one id.
    """
    named: dict[str, TokenKey] = {}
    candidates: list[CandidateKey] = []
    for each in given:
        identifier, separator, name = each.partition("=")
        file = Path(name if separator else each)
        found = tuple(_keys_of(file))
        if separator:
            if len(found) != 1:
                raise TabascoError(f"{file} has {len(found)} keys, an id names one")
            found = (CandidateKey(found[0].key, identifier),)
        else:
            candidates += found
        for key in found:
            if key.kid is not None and named.setdefault(key.kid, key.key) != key.key:
                raise TabascoError(f"{file} has another key for {key.kid!r} than a file before it")
    return {"keys": named, "candidates": tuple(candidates)}


def _keys_of(file: Path) -> Iterator[CandidateKey]:
    data = read_file(file, limit=MAX_KEY_SET_BYTES, what="key")
    try:
        if data.lstrip().startswith(b"{"):
            yield from _of_document(read_key_document(data))
            return
        loaded = list(_loaded(data, file))
    except AttestationError as error:
        raise TabascoError(f"{file} is not a public key: {error.detail}") from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise TabascoError(
            f"{file} is not a public key in PEM, DER or JWK, nor a certificate"
        ) from error
    for key in loaded:
        if not isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
            raise TabascoError(f"{file} is neither an elliptic-curve key nor an RSA one")
        yield CandidateKey(key)


def _of_document(keys: Mapping[str, TokenKey]) -> Iterator[CandidateKey]:
    """The keys of a set by their names; a single one may also have signed what names no key."""
    if "*" in keys:
        yield CandidateKey(keys["*"])
    else:
        yield from (CandidateKey(key, kid) for kid, key in keys.items())


def _loaded(data: bytes, file: Path) -> Iterator[object]:
    if data[:1] == b"\x30":
        yield load_der_public_key(data)
        return
    blocks = list(_BLOCK.finditer(data))
    if not 0 < len(blocks) <= _MAX_BLOCKS or len(blocks) != data.count(b"-----BEGIN"):
        raise ValueError("not PEM")
    for block in blocks:
        label, text = block[1], block[0] + b"\n"
        if label == b"CERTIFICATE":
            yield x509.load_pem_x509_certificate(text).public_key()
        elif label.endswith(b"PRIVATE KEY"):
            note(f"warning: {file} is a private key: keep it elsewhere; its public half is used")
            yield load_pem_private_key(text, password=None).public_key()
        else:
            yield load_pem_public_key(text)
