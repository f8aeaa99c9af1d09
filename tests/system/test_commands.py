"""What all commands share: help, a version, JSON, and an exit status that is written down."""

import json
import os
from importlib.metadata import EntryPoint, entry_points

import click
import pytest
from click.testing import CliRunner

from sdk.examples import EXAMPLES
from support.stack import SCRIPTS, run

pytestmark = pytest.mark.usefixtures("unprotected")
PROGRAMS: dict[str, EntryPoint] = {
    script.name: script
    for script in entry_points(group="console_scripts")
    if script.dist is not None and script.dist.name.split("-")[0] == "veracruz"
}
PRINTS_DATA = {
    "durango completion",
    "durango policy schema",
    "freestanding-execution-engine decode",
    "freestanding-execution-engine encode",
    "tlaxcala certify",
    "veracruz-operator run",
    "veracruz-sdk copy-example",
    "veracruz-sdk csv-decode",
    "veracruz-sdk csv-encode",
    "veracruz-sdk decode",
    "veracruz-sdk encode",
    "veracruz-sdk generate people",
    *(f"veracruz-sdk generate {name}" for name in EXAMPLES),
    "veracruz-sdk policy-template",
}
"""Commands whose result is a file, the data itself, a command for a shell or a log: no JSON."""


def commands(name: str) -> dict[str, click.Command]:
    """The commands of a program that do something, by all their words."""

    def walk(command: click.Command, words: str):
        if isinstance(command, click.Group):
            context = click.Context(command)
            for word in command.list_commands(context):
                yield from walk(command.get_command(context, word), f"{words} {word}")
        else:
            yield words, command

    return dict(walk(PROGRAMS[name].load(), name))


def test_every_program_of_the_map_is_installed():
    assert set(PROGRAMS) == {
        "durango", "freestanding-execution-engine", "sinaloa", "sonora", "tabasco", "tlaxcala",
        "veracruz", "veracruz-operator", "veracruz-sdk",
    }  # fmt: skip
    assert all((SCRIPTS / name).exists() for name in PROGRAMS)


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_program_tells_its_version(name):
    told = run(name, "--version").done()
    assert told.out == f"{name} {PROGRAMS[name].dist.version}\n"
    assert told.err == ""


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_program_tells_what_its_exit_status_means(name):
    group = PROGRAMS[name].load()
    helps = [[], *(words.split()[1:] for words in commands(name))]
    told = [CliRunner().invoke(group, [*words, "--help"]).output for words in helps]
    assert "Exit status:" in "".join(told)


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("option", ["-h", "--help"])
def test_every_command_has_help_of_its_own_and_for_all_its_options(name, option):
    for words, command in commands(name).items():
        told = CliRunner().invoke(PROGRAMS[name].load(), [*words.split()[1:], option])
        assert told.exit_code == 0, words
        assert command.help, words
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, (words, parameter.name)
                assert parameter.opts[0] in told.output, (words, parameter.name)


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_command_that_tells_something_tells_it_in_json_too(name):
    for words, command in commands(name).items():
        options = [option for parameter in command.params for option in parameter.opts]
        assert ("--json" in options) == (words not in PRINTS_DATA), words


@pytest.mark.parametrize("name", PROGRAMS)
def test_wrong_usage_ends_every_program_with_2_and_a_pointer_to_the_help(name):
    for arguments in (["no-such-command"], ["--no-such-option"]):
        told = CliRunner().invoke(PROGRAMS[name].load(), arguments)
        assert told.exit_code == 2
        assert f"Try '{name} --help' for help." in told.stderr
        assert told.stdout == ""


def test_an_option_may_come_from_the_environment(tmp_path):
    environment = {**os.environ, "TABASCO_INIT_STATE": str(tmp_path / "tabasco")}
    run("tabasco", "init", environment=environment).done()
    assert (tmp_path / "tabasco").is_dir()


def test_a_misspelled_address_is_wrong_usage_everywhere(tmp_path):
    state = ("--state", tmp_path)
    for command in (
        ("tabasco", "serve", *state, "--listen", "nonsense"),
        ("sonora", "serve", *state, "--tabasco", "nonsense"),
        ("sonora", "serve", *state, "--listen", "nonsense"),
        ("sinaloa", "serve", "policy.json", "--listen", "nonsense"),
        ("durango", "attest", "policy.json", "--sinaloa", "nonsense"),
        ("durango", "attest", "policy.json", "--tabasco", "127.0.0.1"),
    ):
        program, *arguments = command
        told = CliRunner().invoke(PROGRAMS[program].load(), [str(each) for each in arguments])
        assert told.exit_code == 2, command
        assert "is not HOST:PORT, such as 127.0.0.1:3010" in " ".join(told.stderr.split()), command


def test_what_a_list_of_commands_says_is_what_the_commands_say():
    def walk(group: click.Group):
        context = click.Context(group)
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            if name in getattr(group, "elsewhere", {}):
                yield name, group.elsewhere[name][1], command.get_short_help_str(limit=400)
            if isinstance(command, click.Group):
                yield from walk(command)

    found = list(walk(PROGRAMS["durango"].load()))
    assert len(found) > 20
    for name, listed, said in found:
        assert listed == said, name


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_completion_is_printed_for_each_shell(shell):
    told = CliRunner().invoke(PROGRAMS["durango"].load(), ["completion", shell])
    assert told.exit_code == 0
    assert "_DURANGO_COMPLETE" in told.output


@pytest.mark.parametrize("name", PROGRAMS)
def test_wrong_usage_of_every_command_is_json_where_the_line_says_so(name):
    program = PROGRAMS[name].load()
    for words in commands(name):
        told = CliRunner().invoke(program, [*words.split()[1:], "--json", "--no-such-option"])
        error = json.loads(told.stderr)["error"]
        assert (told.exit_code, error["status"], told.stdout) == (2, 2, ""), words
        assert "--no-such-option" in error["message"] or "--json" in error["message"], words
