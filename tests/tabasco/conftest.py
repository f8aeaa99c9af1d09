import pytest

from support.enrolment import Clock, RootAttester, SoftwareRoot, new_key
from tabasco import AttestationService, Settings
from tabasco.database import Database, sqlite_url
from tabasco.roots import Roots


@pytest.fixture
def database(tmp_path):
    with Database.open(sqlite_url(tmp_path / "tabasco.db")) as database:
        yield database


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def result_key():
    return new_key()


@pytest.fixture
def service(database, clock, result_key):
    return AttestationService(
        database=database, result_key=result_key, build="9.9", now=clock, settings=Settings()
    )


@pytest.fixture
def root(database, clock):
    """A software root that is registered as `lab`."""
    root = SoftwareRoot()
    Roots(database).add("lab", root.key.public_key(), at=clock())
    return root


@pytest.fixture
def attester(root):
    """A root attester whose root is registered; not enrolled."""
    return RootAttester(root)
