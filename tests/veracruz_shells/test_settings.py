"""Settings of services by flag, environment, file and default."""

import json
import os
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from veracruz_shells.option_names import NamedOption, key_of
from veracruz_shells.settings import ServiceGroup
from veracruz_shells.settings_file import file_of, settings_of

PROGRAM = '''
import click
from pathlib import Path
from veracruz_shells.console import emit, json_option
from veracruz_shells.settings import ServiceCommand, service_group
from veracruz_shells.option_names import NamedOption

@service_group("demo", distribution="veracruz-utils", help="Shows what services are told.")
def main():
    pass

@main.command(cls=ServiceCommand)
@click.argument("policy", envvar="DEMO_SERVE_POLICY")
@click.option("--places", type=click.IntRange(1, 9), default=5)
@click.option("--wait", type=float)
@click.option("--quiet/--loud")
@click.option("--root", "roots", cls=NamedOption, multiple=True, type=click.Path(path_type=Path))
@click.option("--database")
@json_option
def serve(as_json, roots, **settings):
    """Serve."""
    emit({"roots": [*map(str, roots)], **settings}, "", as_json=True)

@main.group()
def key():
    """Keys."""

@key.command()
@click.option("--database")
def show(database):
    """Show one."""
    print(database)
'''


@dataclass(frozen=True)
class Said:
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def process(tmp_path):
    """Run the program with these words, in a home and an environment of its own."""
    program = tmp_path / "demo.py"
    program.write_text(f"{PROGRAM}\nmain()\n")

    def run(*words: str, **names: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, program, *words],
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)} | names,
            cwd=tmp_path,
            capture_output=True,
            check=False,
            text=True,
        )

    return run


@pytest.fixture
def demo(tmp_path, monkeypatch):
    """The same without a process for each, of which there would be a hundred."""
    defined: dict[str, click.Command] = {}
    exec(PROGRAM, defined)
    monkeypatch.chdir(tmp_path)

    def run(*words: object, **names: str) -> Said:
        runner = CliRunner(env={"HOME": str(tmp_path), "XDG_CONFIG_HOME": None} | names)
        done = runner.invoke(defined["main"], [*map(str, words)])
        return Said(done.exit_code, done.stdout, done.stderr)

    return run


@pytest.fixture
def file(tmp_path):
    """Write a file of settings."""

    def write(text: str, path: str = "etc/demo.toml") -> str:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
        return path

    return write


def test_a_flag_goes_before_the_environment_that_before_the_file_that_before_the_default(
    process, file
):
    path = file("[serve]\nplaces = 2\n")
    words, names = ("--config", path, "serve", "p"), {"DEMO_SERVE_PLACES": "3"}
    assert json.loads(process(*words, "--places", "4", **names).stdout)["places"] == 4
    assert json.loads(process(*words, **names).stdout)["places"] == 3
    assert json.loads(process(*words).stdout)["places"] == 2
    assert json.loads(process("serve", "p").stdout)["places"] == 5


def test_what_stands_above_the_tables_is_of_all_commands_and_a_table_goes_first(demo, file):
    path = file('database = "all"\n[serve]\ndatabase = "own"\n')
    assert json.loads(demo("serve", "--config", path, "p").stdout)["database"] == "own"
    assert demo("key", "show", DEMO_CONFIG=path).stdout == "all\n"
    path = file('[key.show]\ndatabase = "inner"\n')
    assert demo("key", "show", DEMO_CONFIG=path).stdout == "inner\n"


def test_the_users_own_file_is_found_and_one_that_is_named_goes_first(demo, file):
    file("[serve]\nplaces = 7\n", ".config/veracruz/demo.toml")
    assert json.loads(demo("serve", "p").stdout)["places"] == 7
    assert json.loads(demo("serve", "p", "--config", "/dev/null").stdout)["places"] == 5
    file("[serve]\nplaces = 8\n", "other/veracruz/demo.toml")
    assert json.loads(demo("serve", "p", XDG_CONFIG_HOME="other").stdout)["places"] == 8
    file("what is this", ".config/veracruz/demo.toml")
    failed = demo("serve", "p")
    assert (failed.returncode, "demo.toml is not TOML" in failed.stderr) == (1, True)
    assert demo("serve", "p", "--config", "/dev/null").returncode == 0


def test_files_are_looked_for_beside_the_file_and_at_home(demo, file, tmp_path):
    path = file('[serve]\npolicy = "p"\nroots = []\n'.replace("roots = []", 'root = ["a", "~/b"]'))
    told = json.loads(demo("serve", "--config", path).stdout)
    assert told["roots"] == [str(tmp_path / "etc/a"), str(tmp_path / "b")]
    assert told["policy"] == "p"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[serve]\nplaces = '2'", "demo.toml: serve.places is a string, expected an integer"),
        ("[serve]\nplaces = true", "serve.places is true or false, expected an integer"),
        ("[serve]\nplaces = 0", "demo.toml: places: 0 is not in the range 1<=x<=9"),
        ("[serve]\nwait = '1'", "serve.wait is a string, expected a number"),
        ("[serve]\nquiet = 1", "serve.quiet is an integer, expected true or false"),
        ("[serve]\ndatabase = 1", "serve.database is an integer, expected a string, in quotes"),
        ("[serve]\nroot = 'a'", "serve.root is a string, expected an array, such as serve.root"),
        ("[serve]\nroot = [1]", "serve.root[0] is an integer, expected a string"),
        ("[serve]\nroot = ['\\u0000']".replace("'", '"'), "expected a string without NUL"),
        ("[serve]\nplace = 1", "key 'serve.place' is not known: did you mean serve.places?"),
        ("[serve]\nxyzzy = 1", "is not known: expected one of database, json, places, policy,"),
        ("[server]\nplaces = 1", "table 'server' is not known: did you mean serve?"),
        ("xyzzy = 1", "key 'xyzzy' is not known"),
        ("serve = 1", "serve is an integer, expected a table"),
        ("[key.hide]\na = 1", "table 'key.hide' is not known"),
        ("[serve]\nconfig = 'x'", "key 'serve.config' is not known"),
        ("[serve]\nplaces = 1\nplaces = 2", "is not TOML: Cannot overwrite a value"),
        ("# \xff", "is not UTF-8 at byte 2"),
        ("#" * 70_000, "more than 65536 bytes"),
    ],
)
def test_a_file_that_is_not_as_it_should_be_is_refused_with_its_name_the_key_and_what_to_do(
    demo, tmp_path, text, said
):
    path = tmp_path / "demo.toml"
    path.write_bytes(text.encode("latin-1"))
    for words in (["serve", "p", "--config", path], ["--config", path, "serve", "p"]):
        failed = demo(*words)
        assert failed.returncode in {1, 2}
        assert failed.stdout == ""
        assert "demo.toml" in failed.stderr
        assert said in failed.stderr


def test_a_file_that_is_not_there_or_is_none_is_an_error(demo, tmp_path):
    for path in ("nowhere.toml", str(tmp_path)):
        failed = demo("serve", "p", "--config", path)
        assert failed.returncode == 1
        assert f"cannot read configuration {path}" in failed.stderr


def test_a_name_in_the_environment_that_stands_for_nothing_is_refused(demo):
    for name, said in (
        ("DEMO_SERVE_PLACE", "did you mean DEMO_SERVE_PLACES?"),
        ("DEMO_SERVE_ROOTS", "did you mean DEMO_SERVE_ROOT?"),
        ("DEMO_PLACES", "did you mean DEMO_SERVE_PLACES?"),
    ):
        failed = demo("serve", "p", **{name: "1"})
        assert failed.returncode == 1
        assert f"{name} in the environment" in failed.stderr
        assert said in failed.stderr
    assert demo("serve", "p", DEMO_SERVICE_HOST="10.0.0.1", DEMO_PORT="x").returncode == 0


def test_a_wrong_value_in_the_environment_is_named_by_its_variable(demo):
    failed = demo("serve", "p", DEMO_SERVE_PLACES="many")
    assert failed.returncode == 2
    assert "DEMO_SERVE_PLACES: 'many' is not a valid integer range" in failed.stderr


def test_what_holds_is_printed_with_where_it_comes_from_and_is_a_file(demo, file):
    path = file('[serve]\nroot = ["a"]\nwait = 1.5\n')
    words = ["serve", "--config", path, "--print-config", "--quiet"]
    text = demo(*words, DEMO_SERVE_PLACES="3")
    assert text.returncode == 0
    assert "places = 3  # DEMO_SERVE_PLACES\n" in text.stdout
    assert "wait = 1.5  # etc/demo.toml\n" in text.stdout
    assert "quiet = true  # --quiet\n" in text.stdout
    assert "# policy is not set\n" in text.stdout
    told = json.loads(demo(*words, "--json").stdout)
    assert told["file"] == path
    assert told["settings"]["places"] == {"value": 5, "source": "default", "from": "default"}
    assert told["settings"]["database"]["value"] is None
    again = file(text.stdout, "again.toml")
    printed = demo("serve", "--config", again, "--print-config").stdout
    assert tomllib.loads(printed) == tomllib.loads(text.stdout)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:PLANTED@host/db",
        "postgresql://u:PLANT@ED/x@host/db?password=PLANTED&sslmode=PLANTED",
        "postgresql://:PLANTED@host/db",
        "postgresql+psycopg://u:PLANTED?PLANTED@host/db",
    ],
)
def test_passwords_in_urls_are_not_printed(demo, file, url):
    path = file(f'database = "{url}"\n')
    for names in ({"DEMO_CONFIG": path}, {"DEMO_SERVE_DATABASE": url}):
        for words in (["--json"], []):
            done = demo("serve", "--print-config", *words, **names)
            assert "postgresql" in done.stdout
            assert "PLANT" not in done.stdout + done.stderr
            assert "ED/x" not in done.stdout


def test_the_environment_and_files_call_every_option_of_a_service_as_the_command_line_does():
    for name in ("sinaloa", "sonora", "tabasco"):
        (script,) = entry_points(group="console_scripts", name=name)
        group = script.load()
        assert isinstance(group, ServiceGroup)
        serve = group.get_command(click.Context(group), "serve")
        for key, each in settings_of(serve).items():
            assert key == key_of(each)
            assert each.name == key or isinstance(each, NamedOption), (name, key)


def test_completion_and_help_need_no_file(demo, tmp_path):
    (tmp_path / ".config").write_text("a file where a folder could be")
    assert demo("serve", "--help").returncode == 0
    assert Path(tmp_path, ".config").is_file()


def test_a_user_without_a_home_has_the_machines_settings(monkeypatch):
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("os.getuid", lambda: 4_000_000_000)  # of whom the system knows nothing
    assert file_of("nothing-has-this-name") is None
