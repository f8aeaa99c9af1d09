"""One cluster for all tests of the operator; without a control plane they are skipped."""

import pytest

from support.control_plane import AVAILABLE, MISSING, ControlPlane
from support.operated_cluster import OperatedCluster
from support.stack import Stack


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    if not AVAILABLE:
        pytest.skip(MISSING)
    folder = tmp_path_factory.mktemp("cluster")
    stack = Stack(folder)
    server = ControlPlane()
    running = OperatedCluster(server, stack, folder)
    yield running
    running.close()
    server.close()
    stack.close()
