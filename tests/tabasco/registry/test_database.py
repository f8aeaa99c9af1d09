"""The database: private, migrated from wherever it was, never half-migrated, shared safely."""

import sqlite3
import stat
import subprocess
import sys
import threading
from contextlib import closing
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import alembic.command
import alembic.config
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import bindparam, create_engine, select, text
from sqlalchemy.exc import IntegrityError

import tabasco.registry.database
from support.patience import PATIENCE_S
from tabasco import DatabaseError
from tabasco.registry.database import NEWEST, Database, sqlite_url
from tabasco.registry.instances import Instances
from tabasco.registry.models import Base, RootRow
from tabasco.registry.revocations import Revocations
from tabasco.verify.named import Subject

MIGRATIONS = str(Path(tabasco.registry.database.__file__).parent / "migrations")
REVISIONS = [script.revision for script in ScriptDirectory(MIGRATIONS).walk_revisions()]
HEAD = REVISIONS[0]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "tabasco.db"


def make_at(path, revision):
    """A database as the Tabasco whose newest revision was `revision` left it, with one root."""
    config = alembic.config.Config()
    config.set_main_option("script_location", MIGRATIONS)
    engine = create_engine(sqlite_url(path))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        alembic.command.upgrade(config, revision)
        connection.execute(
            text(
                "insert into roots (name, instance_id, public_key, added_at)"
                " values ('lab', x'01', x'02', '2026-01-01 00:00:00.000000')"
            )
        )
    engine.dispose()


def differences(database):
    with database.reading() as session:
        return compare_metadata(MigrationContext.configure(session.connection()), Base.metadata)


def test_a_fresh_database_has_exactly_the_tables_of_the_models(path):
    with Database.open(sqlite_url(path)) as database:
        assert differences(database) == []


def test_the_newest_revision_is_the_one_that_the_migrations_end_with():
    assert NEWEST == HEAD


def test_a_database_that_is_up_to_date_is_opened_without_what_migrates_it(path):
    Database.open(sqlite_url(path)).close()
    source = f"""
import sys
from tabasco.registry.database import Database
Database.open({sqlite_url(path)!r}).close()
assert "alembic" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", source], check=True)


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_database_of_any_earlier_revision_is_brought_up_to_date_with_its_rows(path, revision):
    make_at(path, revision)
    with Database.open(sqlite_url(path)) as database:
        assert differences(database) == []
        with database.reading() as session:
            assert session.scalar(text("select version_num from alembic_version")) == HEAD
            assert session.scalar(text("select name from roots")) == "lab"


def test_every_migration_can_be_undone(path):
    with Database.open(sqlite_url(path)) as database:
        config = alembic.config.Config()
        config.set_main_option("script_location", MIGRATIONS)
        with database.writing() as session:
            config.attributes["connection"] = session.connection()
            alembic.command.downgrade(config, "base")
        with database.reading() as session:
            tables = session.scalars(text("select name from sqlite_master where type = 'table'"))
            assert tables.all() == ["alembic_version"]


def test_a_database_of_a_newer_tabasco_is_refused_with_the_remedy_and_left_alone(path):
    Database.open(sqlite_url(path)).close()
    with sqlite3.connect(path) as raw:
        raw.execute("update alembic_version set version_num = '9999'")
    raw.close()
    before = path.read_bytes()
    with pytest.raises(DatabaseError, match=r"use the newer tabasco that wrote it"):
        Database.open(sqlite_url(path))
    assert path.read_bytes() == before


def test_a_definition_of_a_table_is_undone_with_its_transaction(path):
    with Database.open(sqlite_url(path)) as database:
        with pytest.raises(KeyError), database.writing() as session:  # noqa: PT012 - both matter
            session.execute(text("create table half (id integer)"))
            raise KeyError
        with database.reading() as session:
            assert session.scalar(text("select 1 from sqlite_master where name = 'half'")) is None


def test_processes_that_open_a_new_database_at_once_all_find_it_ready(path):
    program = (
        "import sys; from tabasco.registry.database import Database; print(flush=True); input();"
        " Database.open(sys.argv[1]).close()"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, sqlite_url(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for _ in range(3)
    ]
    for process in processes:
        process.stdout.readline()
    for process in processes:
        process.stdin.write(b"go\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=PATIENCE_S)
    assert [process.returncode for process in processes] == [0, 0, 0]
    with Database.open(sqlite_url(path)) as database:
        assert differences(database) == []


def test_a_new_database_that_somebody_else_is_writing_is_waited_for(path):
    with closing(sqlite3.connect(path, check_same_thread=False)) as writer:
        writer.execute("begin immediate")
        ends = threading.Timer(0.3, writer.rollback)
        ends.start()
        Database.open(sqlite_url(path)).close()
        assert not writer.in_transaction
        ends.join()


def test_the_files_are_readable_by_their_owner_alone(path):
    with Database.open(sqlite_url(path)) as database, database.writing() as session:
        session.execute(text("delete from challenges"))
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert modes == {"tabasco.db": 0o600, "tabasco.db-wal": 0o600, "tabasco.db-shm": 0o600}


def test_a_database_that_others_can_read_is_closed_to_them(path):
    Database.open(sqlite_url(path)).close()
    path.chmod(0o644)
    Database.open(sqlite_url(path)).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_commits_are_durable_readers_never_wait_and_references_are_checked(path):
    with Database.open(sqlite_url(path)) as database, database.reading() as session:
        asked = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        values = {name: session.scalar(text(f"pragma {name}")) for name in asked}
    full = 2
    assert values == {
        "journal_mode": "wal",
        "synchronous": full,
        "foreign_keys": 1,
        "busy_timeout": 10_000,
    }


def test_an_instance_of_a_root_that_does_not_exist_is_refused_by_the_database(path):
    with Database.open(sqlite_url(path)) as database:
        with pytest.raises(DatabaseError) as caught, database.writing() as session:
            session.execute(
                text(
                    "insert into instances (instance_id, public_key, platform, measurement,"
                    " version, root_id, enrolled_at, expires_at)"
                    " values (x'01', x'02', 'p', x'03', '1', 99, '', '')"
                )
            )
        assert isinstance(caught.value.__cause__, IntegrityError)


def test_writers_that_read_first_wait_for_one_another(path):
    rounds, threads = 20, 4
    with Database.open(sqlite_url(path)) as database:
        with database.writing() as session:
            session.execute(text("create table counter (value integer)"))
            session.execute(text("insert into counter values (0)"))

        def count():
            for _ in range(rounds):
                with database.writing() as session:
                    value = session.scalar(text("select value from counter"))
                    session.execute(text("update counter set value = :next"), {"next": value + 1})

        workers = [threading.Thread(target=count) for _ in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        with database.reading() as session:
            assert session.scalar(text("select value from counter")) == rounds * threads


def test_a_file_that_is_no_database_is_refused_by_name(path):
    path.write_bytes(b"not a database" * 1000)
    with pytest.raises(DatabaseError, match=r"tabasco\.db cannot be used: file is not a database"):
        Database.open(sqlite_url(path))


def test_a_path_that_cannot_be_written_is_refused_by_name(tmp_path):
    with pytest.raises(DatabaseError, match=r"missing/x\.db: make its folder first"):
        Database.open(sqlite_url(tmp_path / "missing" / "x.db"))


@pytest.mark.parametrize(
    "url",
    ["", "x", "sqlite://", "sqlite:///:memory:", "sqlite:////tmp/x?mode=ro", "oracle://h/x"],
)
def test_a_url_that_is_no_file_of_ours_is_refused_with_the_remedy(url):
    with pytest.raises(DatabaseError, match=r"give (sqlite:///PATH|a file)"):
        Database.open(url)


def test_a_password_in_a_refused_url_is_not_repeated():
    with pytest.raises(DatabaseError) as caught:
        Database.open("postgresql://user:hunter2@host/x")
    assert "hunter2" not in str(caught.value)


def test_a_lookup_that_fails_is_an_error_of_the_database(path):
    with Database.open(sqlite_url(path)) as database:
        lookup = database.lookup(select(RootRow.name).where(RootRow.id == bindparam("id")))
        assert lookup(1) is None
        with closing(sqlite3.connect(path)) as other:
            other.execute("drop table roots")
        with pytest.raises(DatabaseError, match="no such table: roots"):
            lookup(1)


def test_a_lookup_sees_what_was_just_written_and_keeps_nobody_from_writing(path):
    with Database.open(sqlite_url(path)) as database:
        lookup = database.lookup(select(RootRow.name).where(RootRow.id == bindparam("id")))
        for name in ("lab", "rack"):
            with closing(sqlite3.connect(path)) as other, other:
                other.execute(
                    "insert or replace into roots (id, name, instance_id, public_key, added_at)"
                    " values (1, ?, x'01', x'02', '2026-01-01 00:00:00.000000')",
                    (name,),
                )
            assert lookup(1) == [name]


def test_who_was_enrolled_before_enrolments_kept_what_they_rest_on_can_be_revoked(path):
    """A software root's stay; of hardware it is not known what it proved, so they end."""
    key, root_key, measurement = b"key", b"\2", b"\7" * 32
    make_at(path, "0006")
    with closing(sqlite3.connect(path)) as raw, raw:
        for number, platform, root in ((1, "linux-software-root", 1), (2, "sgx", None)):
            raw.execute(
                "insert into instances (instance_id, public_key, platform, measurement, version,"
                " root_id, enrolled_at, expires_at) values (?, ?, ?, ?, '1', ?,"
                " '2026-01-01 00:00:00.000000', '9999-01-01 00:00:00.000000')",
                (bytes([1, number]), key, platform, measurement, root),
            )
        raw.execute(
            "insert into revocations (subject, value, reason, revoked_at)"
            " values ('measurement', ?, '', '2026-02-01 00:00:00.000000')",
            (b"\x08" * 32,),
        )
    with Database.open(sqlite_url(path)) as database:
        by_root, by_hardware = (Instances(database).find(bytes([1, each])) for each in (1, 2))
        now = datetime.now(UTC)
        assert by_root.state(now) == "live"
        assert by_hardware.state(now) == "expired"
        assert Revocations(database).all()[0].value == b"\x08" * 32
        values = {
            bytes([1, 1]),
            measurement,
            b"\1",
            sha256(key).digest(),
            sha256(root_key).digest(),
        }
        with database.reading() as session:
            found = session.scalars(text("select value from instance_values where instance = 1"))
            assert set(found) == values
        Revocations(database).add(Subject.MEASUREMENT, measurement, "", at=now)
        assert Instances(database).find(bytes([1, 1])).state(now) == "revoked"
