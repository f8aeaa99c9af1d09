"""The example sql-query, beside Python's own SQLite, and at what it must refuse."""

import sqlite3

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tlaxcala
from sdk.errors import BuildError, SourceUnavailableError
from sdk.examples import EXAMPLES, build, programs
from sdk.examples.named_types import SCHEMAS
from sdk.toolchains import fetched
from sdk.toolchains.sources import source_folder
from veracruz_utils.encoding.pinecone import decode, encode

NAME = "sql-query"
DATA_SOURCE_COUNT, BAD_INPUT = -2, -4
NOT_AGREED, NOT_A_QUERY, QUERY_FAILED = 1, 2, 3
SQL, TABLE, ROWS = (SCHEMAS[name].kind for name in ("sql", "sql-table", "sql-rows"))

PEOPLE = [[1, "ann", 40.5], [2, "bob", None], [3, "c'est", -7.25], [4, "dé", 40.5], [5, None, 0.0]]
TREES = [[1, "oak"], [3, "elm"], [3, "fir"], [9, "yew"], [2**63 - 1, ""]]


def cell(value):
    if value is None:
        return "Null"
    return {{int: "Integer", float: "Real", str: "Text"}[type(value)]: value}


def plain(found):
    return None if found == "Null" else next(iter(found.values()))


def table(name, columns, rows, queries=None):
    cells = [[cell(value) for value in row] for row in rows]
    content = {"Rows": {"columns": columns, "rows": cells}}
    return encode(TABLE, {"name": name, "queries": queries, "content": content})


def csv_table(text, name="t", queries=None):
    return encode(TABLE, {"name": name, "queries": queries, "content": {"Csv": text}})


BOTH = (table("people", ["id", "name", "score"], PEOPLE), table("trees", ["id", "tree"], TREES))


@pytest.fixture
def ask(run_program):
    """Runs a query on tables; the code, or the names of columns and the rows."""

    def run(query, *tables):
        outcome = run_program(NAME, encode(SQL, query), *(tables or BOTH))
        if outcome.return_code != 0:
            assert outcome.output is None
            return outcome.return_code
        found = decode(ROWS, outcome.output)
        return found["columns"], [[plain(each) for each in row] for row in found["rows"]]

    return run


@pytest.fixture(scope="module")
def reference():
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE people(id, name, score)")
    database.execute("CREATE TABLE trees(id, tree)")
    database.executemany("INSERT INTO people VALUES(?, ?, ?)", PEOPLE)
    database.executemany("INSERT INTO trees VALUES(?, ?)", TREES)
    yield database
    database.close()


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM people ORDER BY id",
        "SELECT name, tree FROM people LEFT JOIN trees USING (id) ORDER BY id, tree",
        "SELECT score, count(*), group_concat(name, '/') FROM people GROUP BY score ORDER BY score",
        "SELECT id FROM trees EXCEPT SELECT id FROM people ORDER BY id",
        "SELECT name, row_number() OVER (ORDER BY score DESC, id) FROM people",
        "WITH RECURSIVE n(x) AS (VALUES (1) UNION ALL SELECT x+1 FROM n LIMIT 99) SELECT * FROM n",
        "SELECT upper(name), length(name), round(score, 1), typeof(score) FROM people ORDER BY id",
        "SELECT date('2024-01-31', '+1 month'), 7 / 2, 7 / 2.0, 1 / 0, 'a' || 'b' LIKE 'A_'",
        "SELECT avg(score), total(score), min(name), max(tree) FROM people, trees",
        "SELECT * FROM people WHERE name IN (SELECT name FROM people WHERE score > 0); -- done",
        "SELECT count(*) FROM people WHERE 0",
        "VALUES (1, 'x'), (2.5, NULL)",
    ],
)
def test_a_query_has_the_rows_that_sqlite_gives(ask, reference, query):
    expected = reference.execute(query)
    columns, rows = ask(query)
    assert columns == [each[0] for each in expected.description]
    assert rows == [list(row) for row in expected]
    assert [list(map(type, row)) for row in rows] == [
        list(map(type, row)) for row in reference.execute(query)
    ]


@pytest.mark.parametrize(
    "query",
    [
        "", "  -- nothing", "SELEC 1", "SELECT nothing FROM people", "SELECT 1 FROM absent",
        "SELECT 1; SELECT 2", 'SELECT "not a column" FROM people', "SELECT ?",
        "INSERT INTO people VALUES (6, 'eve', 1)", "DELETE FROM people", "DROP TABLE people",
        "UPDATE people SET name = ''", "CREATE TABLE more(x)", "CREATE TEMP VIEW v AS SELECT 1",
        "ATTACH ':memory:' AS other", "PRAGMA table_info(people)", "VACUUM", "BEGIN", "ANALYZE",
        "SELECT * FROM sqlite_schema", "SELECT sql FROM SQLITE_MASTER", "EXPLAIN SELECT 1",
        "SELECT * FROM sqlite_temp_schema", "SELECT * FROM pragma_table_info('people')",
        "SELECT random()", "SELECT hex(randomblob(8))", "SELECT id FROM people ORDER BY RANDOM()",
        "SELECT load_extension('x')", "INSERT INTO people SELECT * FROM people RETURNING id",
        "SELECT (SELECT name FROM sqlite_schema)",
        "WITH s AS (SELECT sql FROM sqlite_schema) SELECT * FROM s",
    ],
)  # fmt: skip
def test_what_is_no_query_on_the_tables_is_refused(ask, query):
    assert ask(query) == NOT_A_QUERY


@pytest.mark.parametrize(
    "query",
    [
        "SELECT sum(9223372036854775807) FROM people",
        "SELECT abs(-9223372036854775807 - 1)",
        "SELECT zeroblob(4)",
        "SELECT x'00ff'",
        "SELECT CAST(x'ff' AS TEXT)",
        "SELECT hex(zeroblob(40000000))",
    ],
)
def test_what_fails_while_it_runs_ends_with_a_code(ask, query):
    assert ask(query) == QUERY_FAILED


def test_there_is_no_clock(ask):
    assert ask("SELECT date('now'), CURRENT_TIMESTAMP")[1] == [[None, None]]


def test_a_query_is_run_only_if_every_owner_lists_it(ask):
    query, other = "SELECT count(*) FROM a", "SELECT * FROM a"

    def owners(*lists):
        return [
            table(name, ["x"], [[1]], queries=each) for name, each in zip("ab", lists, strict=True)
        ]

    assert ask(query, *owners([other, query], [query]))[1] == [[1]]
    assert ask(query, *owners(None, [query]))[1] == [[1]]
    assert ask(query, *owners([query], [])) == NOT_AGREED
    assert ask(other, *owners([other], [query])) == NOT_AGREED
    assert ask(query + " ", *owners([query], [query])) == NOT_AGREED
    assert ask("SELEC", *owners([query], None)) == NOT_AGREED  # whether or not it is SQL


def test_the_cells_of_a_csv_file_are_numbers_where_they_are_written_as_such(ask):
    text = (
        "\ufeffa,b c,\"d\"\"e\"\r\n"
        "1,-2.5e3,\r\n"
        '"1",007,""\n'
        "\n"
        "-0,1.,.5\n"
        "9223372036854775807,9223372036854775808,1e400\n"
        '"x,\ny",+1, 1'
    )  # fmt: skip
    columns, rows = ask("SELECT * FROM t", csv_table(text))
    assert columns == ["a", "b c", 'd"e']
    assert rows == [
        [1, -2500.0, None],
        ["1", "007", ""],
        [0, "1.", ".5"],
        [2**63 - 1, "9223372036854775808", float("inf")],
        ["x,\ny", "+1", " 1"],
    ]


FIELDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(FIELDS, FIELDS), max_size=5))
def test_every_text_in_quotes_comes_back(run_program, rows):
    quoted = [",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows]
    given_csv = csv_table("\n".join(["x,y", *quoted]))
    outcome = run_program(NAME, encode(SQL, "SELECT x, y FROM t ORDER BY rowid"), given_csv)
    found = decode(ROWS, outcome.output)["rows"]
    assert [tuple(plain(each) for each in row) for row in found] == rows


@pytest.mark.parametrize(
    "text",
    [
        "a,a\n", "", "\n", "a,\n", "a\n1,2\n", "a,b\n1\n",
        'a\n"1\n', 'a\n"1"2\n', 'a\n1"\n', "a\rb\n1",
    ],
)  # fmt: skip
def test_what_is_no_csv_file_is_refused(ask, text):
    assert ask("SELECT 1", csv_table(text)) == BAD_INPUT


@pytest.mark.parametrize(
    "tables",
    [
        [table("t", ["x"], []), table("T", ["x"], [])],
        [table("sqlite_t", ["x"], [])],
        [table("", ["x"], [])],
        [table("a\0b", ["x"], [])],
        [table("t", [], [])],
        [table("t", ["x"], [[1, 2]])],
        [table("t", ["x"], [])[:-1]],
        [table("t", ["x"], []) + b"\0"],
        [b"\1t\2\0\1x"],
    ],
)
def test_what_is_no_table_is_refused(ask, tables):
    assert ask("SELECT 1", *tables) == BAD_INPUT


def test_names_cannot_be_made_to_be_sql(ask):
    name = 't"("x); DROP TABLE people; --'
    given_tables = (*BOTH, table(name, ['c" INTEGER, "d'], [[1]]))
    quoted = name.replace('"', '""')
    assert ask(f'SELECT * FROM "{quoted}"', *given_tables) == (['c" INTEGER, "d'], [[1]])


@st.composite
def damaged(draw):
    """A query and two tables, one in CSV, of which some bytes are others."""
    inputs = [
        encode(SQL, "SELECT name, count(*) FROM people JOIN t USING (id) GROUP BY name"),
        BOTH[0],
        csv_table('id,x\n1,"a"\n2,-1.5e3\n'),
    ]
    for _ in range(draw(st.integers(1, 4))):
        which = draw(st.integers(0, 2))
        data = bytearray(inputs[which])
        at = draw(st.integers(0, len(data) - 1))
        data[at] = draw(st.sampled_from([*b"\0\1\2\x7f\x80\xff\",\n;'*(", data[at] ^ 1]))
        inputs[which] = bytes(data)
    return inputs


@settings(max_examples=100, deadline=None)
@given(damaged())
def test_damaged_inputs_give_rows_or_a_code(run_program, inputs):
    outcome = run_program(NAME, *inputs)
    if outcome.return_code == 0:
        decode(ROWS, outcome.output)
    else:
        assert outcome.return_code in EXAMPLES[NAME].codes


@pytest.mark.parametrize("inputs", [[], [b"\0"]])
def test_there_has_to_be_a_table(run_program, inputs):
    assert run_program(NAME, *inputs).return_code == DATA_SOURCE_COUNT


@pytest.mark.parametrize("query", [b"", b"\1\xff", b"\1\0", b"\2a"])
def test_a_query_that_is_no_text_is_refused(run_program, query):
    assert run_program(NAME, query, *BOTH).return_code == BAD_INPUT


# ---- Its sources ---------------------------------------------------------------------------------


@pytest.fixture
def cargo(tmp_path, monkeypatch):
    """Puts a script in the place of cargo, and nothing else on the path but a shell's tools."""

    def put(script):
        path = tmp_path / "bin" / "cargo"
        path.parent.mkdir()
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{path.parent}:/usr/bin:/bin")

    return put


def test_an_example_whose_sources_cannot_be_fetched_is_skipped_by_name(cargo, tmp_path):
    cargo("printf 'error: failed\\n  [7] could not connect\\n' >&2; exit 101")
    reason = "the registry of crates cannot be reached: [7] could not connect"
    assert build.check_examples(language="c-libc") == (build.Skipped(NAME, reason),)
    assert build.write_examples(tmp_path, language="c-libc") == (build.Skipped(NAME, reason),)
    assert not tmp_path.joinpath(f"{NAME}.wasm").exists()


def test_a_release_that_the_registry_does_not_have_is_an_error(cargo):
    cargo("echo 'error: no matching package' >&2; exit 101")
    refused = r"cargo cannot build Cargo\.toml:\nerror: no matching"
    with pytest.raises(BuildError, match=refused) as caught:
        build.build_example(NAME)
    assert not isinstance(caught.value, SourceUnavailableError)


def test_sources_that_are_not_the_pinned_ones_are_refused(cargo):
    cargo("mkdir -p vendor/libsqlite3-sys/sqlite3; echo x >vendor/libsqlite3-sys/sqlite3/sqlite3.c")
    with pytest.raises(
        BuildError, match=r"sqlite3\.c, fetched, has SHA-256 [0-9a-f]{64}, expected"
    ):
        build.build_example(NAME)


def test_sources_that_are_missing_from_what_was_fetched_are_an_error(cargo):
    cargo("exit 0")
    with pytest.raises(BuildError, match=r"sqlite3\.c, fetched: No such file"):
        build.build_example(NAME)


def test_without_cargo_nothing_can_be_fetched(monkeypatch, tmp_path):
    monkeypatch.setattr(fetched.shutil, "which", lambda name: None)
    manifest = source_folder("examples") / NAME / fetched.MANIFEST
    with pytest.raises(SourceUnavailableError, match="cargo is missing, which fetches the sources"):
        fetched.fetch_sources(manifest, tmp_path)


def test_the_module_imports_nothing_but_host_calls():
    assert tlaxcala.check(programs.load(NAME)).certified
