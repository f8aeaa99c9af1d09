"""Tabasco's result key: which one counts, and how it is read."""

from durango.errors import TabascoKeyError
from veracruz_utils.digest import Digest
from veracruz_utils.key_files import p256_key_of_pem
from veracruz_utils.policy import Policy
from veracruz_utils.public_keys import KeyFormatError, der_of


def pinned_key(policy: Policy, given: bytes | None) -> bytes:
    """Tabasco's result key (DER): the policy's, or the one `given` beside a policy without one.

    Raises:
        TabascoKeyError: there is none, or the two differ.
    """
    if policy.tabasco_key is None:
        if given is None:
            raise TabascoKeyError(
                "the policy names no key of Tabasco, as no 2021 policy can: get its public key "
                "from a source you trust and give it with --tabasco-key"
            )
        return given
    # Never the given one: an option must not replace the key that all principals agreed on.
    if given is not None and given != policy.tabasco_key:
        raise TabascoKeyError(
            f"the key given for Tabasco is {Digest.of(given)}, "
            f"the policy names {Digest.of(policy.tabasco_key)}: omit --tabasco-key"
        )
    return policy.tabasco_key


def parse_tabasco_key(pem: bytes, *, name: str) -> bytes:
    """The P-256 public key in a PEM text, as DER SubjectPublicKeyInfo.

    Args:
        pem: the text.
        name: what errors call it.

    Raises:
        TabascoKeyError: it is anything else.
    """
    try:
        return der_of(p256_key_of_pem(pem))
    except KeyFormatError as error:
        raise TabascoKeyError(f"{name} {error}") from error
