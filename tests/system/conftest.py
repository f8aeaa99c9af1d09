"""One Tabasco and one Sonora for all tests of the whole; a Sinaloa for each computation."""

import os

import pytest

from sonora.image.local import local_image
from support.stack import Stack


@pytest.fixture(scope="session", autouse=True)
def image_for_commands():
    """Have every `sonora` that is started take the local image."""
    os.environ["SONORA_IMAGE"] = str(local_image().folder)
    yield
    del os.environ["SONORA_IMAGE"]


@pytest.fixture(scope="session")
def stack(tmp_path_factory):
    stack = Stack(tmp_path_factory.mktemp("veracruz"))
    yield stack
    stack.close()
