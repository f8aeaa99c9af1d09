"""The one text of a policy: canonical JSON (RFC 8785), whatever its source looked like."""

import json

import rfc8785

from durango.errors import DurangoError
from veracruz_utils.policy import MAX_POLICY_BYTES
from veracruz_utils.strict_json import read_json


def canonical_json(text: bytes) -> bytes:
    """The canonical form of a JSON text: no white space, names sorted by their UTF-16 code units.

    Raises:
        JsonError: `text` is no JSON.
        DurangoError: it has a number that JSON cannot carry exactly: beyond 2**53 - 1.
    """
    try:
        return rfc8785.dumps(read_json(text, max_bytes=MAX_POLICY_BYTES))
    except rfc8785.CanonicalizationError as error:
        raise DurangoError(f"no canonical JSON says this: {error}") from error


def is_canonical(text: bytes) -> bool:
    """Whether a JSON text has its canonical form already."""
    return canonical_json(text) == text


def indented(text: bytes) -> str:
    """The same JSON for people to read; another digest, and so no longer the policy."""
    return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
