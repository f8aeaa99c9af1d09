"""Bridge, isolate and Tabasco for every test that names `rig`."""

import pytest

from support.principal_rig import running_rig


@pytest.fixture
def rig():
    with running_rig() as running:
        yield running
