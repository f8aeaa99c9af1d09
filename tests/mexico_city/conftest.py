"""One zygote for all tests of the runtime; an isolate of its own for each that needs one."""

import pytest

from support.isolate_rig import RigMaker


@pytest.fixture(scope="session")
def isolates():
    maker = RigMaker()
    yield maker
    maker.close()
