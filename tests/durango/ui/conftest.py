"""Bob's page, for every test that names `browser`."""

import pytest

from support.ui_browser import page_of


@pytest.fixture
def browser(rig):
    """Bob's, let in."""
    with page_of(rig) as browser:
        yield browser.enter()
