"""Policies in another format, by the command and by the library."""

import json

import pytest
from click.testing import CliRunner

from durango import (
    DurangoError,
    Policy,
    build_policy,
    convert_policy,
    diff_policies,
    policy_to_toml,
    read_policy,
)
from durango.cli import main
from support.named_policies import parse
from support.policies import NOW, document_2021, text
from support.principal_rig import Attester, Rig, key_pem


@pytest.fixture
def old():
    """A policy of 2021."""
    return Policy.parse(text(document_2021()), at=None)


@pytest.fixture
def key(tmp_path):
    """The file of a key that it does not name."""
    file = tmp_path / "tabasco.pem"
    file.write_bytes(key_pem(Attester().tabasco_key))
    return file


def test_a_policy_of_2021_becomes_a_current_one_with_a_key(old, key):
    made = convert_policy(old, "json", tabasco_key=key, at=NOW)
    assert made.tabasco_key is not None
    assert made.program_digest == old.program_digest
    assert [each.digest for each in made.identities] == [each.digest for each in old.identities]
    terms = {each.term for each in diff_policies(old, made).differences}
    assert {"format", "key of tabasco"} <= terms


def test_without_a_key_it_is_refused(old):
    with pytest.raises(DurangoError, match="key"):
        convert_policy(old, "json", at=NOW)


def test_what_2021_has_no_words_for_is_refused():
    with pytest.raises(DurangoError, match="the format of 2021 cannot say limits"):
        convert_policy(parse(limits={"run_seconds": 7}), "2021", at=NOW)


def test_white_space_is_gone_from_a_current_one():
    policy = parse()
    spaced = Policy.parse(json.dumps(json.loads(policy.raw), indent=2).encode(), at=None)
    made = convert_policy(spaced, "json")
    assert made.digest != spaced.digest
    assert diff_policies(spaced, made).differences == ()


def test_the_toml_of_a_policy_is_built_to_the_same(tmp_path):
    policy = parse(rounds=3)
    source = tmp_path / "again.toml"
    source.write_text(policy_to_toml(policy))
    assert diff_policies(policy, build_policy(source, at=NOW)).differences == ()


def test_the_command_does_what_the_functions_do(tmp_path, key):
    old = Rig(Attester()).policy_2021()  # of certificates that are good today
    file = tmp_path / "old.json"
    file.write_bytes(old.raw)

    def run(*words: object):
        return CliRunner().invoke(main, ["policy", "convert", str(file), *map(str, words)])

    assert run("--to", "json").exit_code == 2
    done = run("--to", "json", "--tabasco-key", key, "--output", tmp_path / "new.json")
    assert done.exit_code == 0, done.output
    made = read_policy(tmp_path / "new.json")
    expected = convert_policy(old, "json", tabasco_key=key)
    assert diff_policies(made, expected).differences == ()
    assert "not the same: format" in done.output
    assert run("--to", "toml", "--tabasco-key", key).exit_code == 0
    assert (tmp_path / "old.toml").read_text() == policy_to_toml(old, tabasco_key=key)
