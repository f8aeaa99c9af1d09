"""Global policy, identities, digests, secrets and the error root of Veracruz.

Here are the small values everything uses. The policy is in `veracruz_utils.policy`; what only
command lines and services need is in `veracruz_utils.console` (extra `cli`) and
`veracruz_utils.service` (extra `service`), which no isolate loads.
"""

from veracruz_utils.digest import Digest
from veracruz_utils.endpoint import Endpoint
from veracruz_utils.errors import RefusedError, UnreachableError, VeracruzError
from veracruz_utils.secret import Secret

__all__ = [
    "Digest",
    "Endpoint",
    "RefusedError",
    "Secret",
    "UnreachableError",
    "VeracruzError",
]
