"""Refusals of evidence, told apart by fault and stage."""

import contextlib
from collections.abc import Iterator

import pytest

from tabasco.verify import EvidenceError, Fault, VerificationStage


@contextlib.contextmanager
def refused(
    fault: Fault, stage: VerificationStage | None = None, *, match: str | None = None
) -> Iterator[None]:
    """What is inside is refused for this fault (and at this stage, in words that match)."""
    with pytest.raises(EvidenceError, match=match) as caught:
        yield
    assert caught.value.fault is fault, str(caught.value)
    if stage is not None:
        assert caught.value.stage is stage, str(caught.value)
