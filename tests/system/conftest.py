"""One Tabasco and one Sonora for all tests of the whole; a Sinaloa for each computation."""

import pytest

from support.stack import Stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory):
    stack = Stack(tmp_path_factory.mktemp("veracruz"))
    yield stack
    stack.close()
