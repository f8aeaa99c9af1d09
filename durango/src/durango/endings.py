"""The end of an isolate, told as what it is instead of as a failure to reach it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from durango._words import timestamp
from durango.errors import PolicyExpiredError
from veracruz_utils.errors import UnreachableError
from veracruz_utils.policy import Policy


@contextmanager
def expiry_explained(policy: Policy) -> Iterator[None]:
    """Let an isolate that cannot be reached any more be one whose policy expired, if it has.

    Raises:
        PolicyExpiredError: in place of an UnreachableError after the policy's end.
    """
    try:
        yield
    except UnreachableError as error:
        if datetime.now(UTC) < policy.expires_at:
            raise
        raise PolicyExpiredError(
            f"the policy expired at {timestamp(policy.expires_at)}, and its isolate ended with "
            f"everything in it: agree on a policy with a later end ({error})"
        ) from error
