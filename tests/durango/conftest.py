"""Bridge, isolate and Tabasco for every test that names `rig`; with files, for `world`."""

import pytest

from support.principal_rig import running_rig
from support.principal_world import World


@pytest.fixture
def rig():
    with running_rig() as running:
        yield running


@pytest.fixture
def world(rig, tmp_path):
    return World(rig, tmp_path)
