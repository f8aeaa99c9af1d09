"""A manufacturer of software TPMs, and TPMs of its making."""

import pytest

from support import swtpm
from support.tpm_enrolment import new_world


@pytest.fixture(scope="session")
def manufacturer(tmp_path_factory):
    return swtpm.manufacturer(tmp_path_factory.mktemp("manufacturer"))


@pytest.fixture(scope="session")
def other_manufacturer(tmp_path_factory):
    return swtpm.manufacturer(tmp_path_factory.mktemp("other-manufacturer"))


@pytest.fixture(scope="session")
def state(manufacturer):
    """The state of a TPM; whoever runs it changes its copy."""
    return manufacturer.make("one")


@pytest.fixture
def tpm(state, tmp_path):
    """A TPM just powered on."""
    with swtpm.running(swtpm.copied(state, tmp_path / "tpm"), unix=True) as running:
        yield running


@pytest.fixture
def world(tmp_path):
    """A Tabasco."""
    with new_world(tmp_path) as world:
        yield world
