import secrets

import pytest
from sqlalchemy import text

from support.databases import new_database
from support.enrolment import Clock, RootAttester, SoftwareRoot, new_key
from support.postgresql import AVAILABLE, MISSING, Server
from tabasco.collateral import Store, StoredCollateral
from tabasco.registry.database import Database, sqlite_url
from tabasco.registry.key_ring import KeyRing
from tabasco.registry.roots import Roots
from tabasco.service.attestation import AttestationService, Settings

TABLES = text("select tablename from pg_tables where schemaname = 'public'")


@pytest.fixture(scope="session")
def postgresql():
    """A PostgreSQL server for all tests of this process."""
    if not AVAILABLE:
        pytest.skip(MISSING)
    server = Server()
    yield server
    server.close()


@pytest.fixture(scope="session")
def _shared_database(postgresql):
    """A database for one test after the other, and the names of its tables."""
    with Database.open(postgresql.database("shared")) as database:
        with database.reading() as session:
            tables = set(session.scalars(TABLES))
            for table in tables - {"alembic_version"}:
                assert session.scalar(text(f"select count(*) from {table}")) == 0
        yield database, tables


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request, tmp_path):
    """An empty database, of each kind that there is."""
    if request.param == "sqlite":
        with new_database(tmp_path / "tabasco.db") as database:
            yield database
        return
    database, tables = request.getfixturevalue("_shared_database")
    yield database
    with database.writing() as session:
        whole = set(session.scalars(TABLES)) == tables
        if whole:
            used = ", ".join(sorted(tables - {"alembic_version"}))
            session.execute(text(f"truncate {used} restart identity"))
        else:  # a test took something away
            session.execute(text("drop schema public cascade"))
            session.execute(text("create schema public"))
    if not whole:
        database.migrate()


@pytest.fixture
def url(database):
    """The URL of `database`."""
    return database.url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request, tmp_path):
    """The URL of a new database, of each kind that there is."""
    if request.param == "sqlite":
        return sqlite_url(tmp_path / "tabasco.db")
    return request.getfixturevalue("postgresql").database(f"d{secrets.token_hex(8)}")


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def result_key():
    return new_key()


@pytest.fixture
def collateral(tmp_path):
    """Collateral from an empty store."""
    return StoredCollateral(Store(tmp_path / "collateral"))


@pytest.fixture
def service(database, clock, result_key, collateral):
    return AttestationService(
        database=database,
        key_ring=KeyRing.single(result_key),
        build="9.9",
        now=clock,
        settings=Settings(),
        source=collateral,
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
