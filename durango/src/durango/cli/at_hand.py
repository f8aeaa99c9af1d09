"""Which file beside one's own policy is the one that the isolate holds, and what it says otherwise.

A refusal of another policy has two digests, which tell nobody what the matter is. Often the other
policy is at hand, as a draft or a copy in the same folder; then its fields are what helps.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Final

from durango._words import printable
from durango.errors import GateError
from durango.evidence import GateCheck
from veracruz_shells.files import read_file
from veracruz_utils.digest import Digest
from veracruz_utils.errors import VeracruzError
from veracruz_utils.policy import MAX_POLICY_BYTES, Policy

_MOST_FILES: Final = 200


@contextmanager
def difference_told(policy: Policy, file: Path) -> Iterator[None]:
    """Let a refusal of another policy say in what that differs, if it is beside `file`.

    Raises:
        GateError: as it was, or with the other's name and the terms that differ.
    """
    try:
        yield
    except GateError as error:
        other = _found(file, error.found) if error.check == GateCheck.POLICY else None
        if other is None:
            raise
        from durango.policy.differences import differing_terms  # noqa: PLC0415

        path, held = other
        raise error.with_remedy(
            f"{error.remedy}. {printable(str(path))} is the isolate's; "
            f"{differing_terms(policy, held)}: see `durango policy diff`"
        ) from error


def _found(file: Path, digest: str) -> tuple[Path, Policy] | None:
    for path in islice(sorted(file.parent.glob("*.json")), _MOST_FILES):
        try:
            raw = read_file(path, limit=MAX_POLICY_BYTES, what="policy")
            if str(Digest.of(raw)) == digest:
                return path, Policy.parse(raw, at=None)
        except VeracruzError:
            continue
    return None
