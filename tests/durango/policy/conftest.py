"""What the tests of policies share."""

import pytest

from durango.releases import Releases
from support.policies import NOW


@pytest.fixture
def releases(tmp_path):
    return Releases(tmp_path / "config", at=NOW)
