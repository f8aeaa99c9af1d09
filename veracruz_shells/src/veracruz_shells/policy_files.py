"""Policies in files; what is wrong with one is told with the file's name."""

from datetime import datetime
from pathlib import Path

from veracruz_shells.files import read_file
from veracruz_utils.policy import MAX_POLICY_BYTES, Policy, PolicyError


def read_policy(path: Path, *, at: datetime | None) -> Policy:
    """The policy in a file, good at that time; whatever its dates if that is None.

    Raises:
        PolicyError: it cannot be used; the message begins with the file's name.
        VeracruzError: the file cannot be read.
    """
    try:
        return Policy.parse(read_file(path, limit=MAX_POLICY_BYTES, what="policy"), at=at)
    except PolicyError as error:
        raise error.in_file(str(path)) from None
