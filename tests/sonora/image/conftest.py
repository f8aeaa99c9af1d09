"""The image that the tests share, and copies of it to change."""

import pytest

from sonora.image.local import local_image
from support.images import copy_of


@pytest.fixture(scope="session")
def image():
    return local_image()


@pytest.fixture
def copied(image, tmp_path):
    return copy_of(image, tmp_path / "image")
