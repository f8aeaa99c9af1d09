"""One zygote for all tests that leave it as it is."""

import pytest

from support.isolate_rig import RigMaker


@pytest.fixture(scope="session")
def isolates():
    maker = RigMaker()
    yield maker
    maker.close()
