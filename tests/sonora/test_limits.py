"""How often one isolate is vouched for."""

import pytest

from sonora.errors import SonoraError
from sonora.token_limit import TokenLimit


def test_an_isolate_is_vouched_for_so_often_in_a_window_and_then_again():
    limit = TokenLimit(most=3, window_s=10)
    for now in (100, 101, 102):
        limit.take(now)
    with pytest.raises(SonoraError, match="3 tokens in 10 s for one isolate"):
        limit.take(109)
    limit.take(110)
    limit.take(110)
    limit.take(110)
    with pytest.raises(SonoraError):
        limit.take(119.9)
