"""Global policy, identities, digests, secrets and the error root of Veracruz.

Here are the small values everything uses; the policy is in `veracruz_utils.policy`.
"""

from veracruz_utils.address import Address
from veracruz_utils.digest import Digest
from veracruz_utils.errors import RefusedError, UnreachableError, VeracruzError
from veracruz_utils.secret import Secret

__all__ = [
    "Address",
    "Digest",
    "RefusedError",
    "Secret",
    "UnreachableError",
    "VeracruzError",
]
