import pytest

from tabasco.database import Database, sqlite_url


@pytest.fixture
def database(tmp_path):
    with Database.open(sqlite_url(tmp_path / "tabasco.db")) as database:
        yield database
