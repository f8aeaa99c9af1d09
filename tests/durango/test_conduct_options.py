"""Rounds, attempts and names on the command line of `durango policy new`."""

import json
from datetime import UTC, datetime, timedelta

import click
import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from durango.cli import main
from durango.cli.conduct import agreement_of
from durango.identity import Identity

ROLES = {"author": "PiProvider", "north": "DataProvider", "reader": "ResultReader"}


@pytest.mark.parametrize(
    ("text", "agreement"),
    [
        ("any", "any"),
        ("all", "all"),
        ("north, reader", ["north", "reader"]),
        ("2 of north,1,reader", {"least": 2, "of": ["north", 1, "reader"]}),
        ("north", ["north"]),
    ],
)
def test_who_must_agree_is_said_in_a_word_or_by_names(text, agreement):
    assert agreement_of(text) == agreement


@pytest.mark.parametrize("text", ["", " , ", ","])
def test_nobody_is_no_agreement(text):
    with pytest.raises(click.UsageError, match="names nobody"):
        agreement_of(text)


def new_policy(folder, *more):
    """What `durango policy new` makes for three named principals."""
    now = datetime.now(UTC)
    words = ["policy", "new", "--output", str(folder / "policy.json")]
    for name, role in ROLES.items():
        party = Identity.create(name, not_before=now, lifetime=timedelta(days=60))
        certificate = folder / f"{name}.cert.pem"
        certificate.write_bytes(party.certificate_pem())
        words += ["--identity", f"{name}={certificate}", role]
    key = folder / "tabasco.pem"
    private = ec.generate_private_key(ec.SECP256R1())
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    key.write_bytes(private.public_key().public_bytes(serialization.Encoding.PEM, form))
    program = folder / "program.wasm"
    program.write_bytes(b"\0asm\1\0\0\0")
    words += ["--program", str(program), "--platform", "linux-software-root=" + 32 * "ab"]
    words += ["--sinaloa", "localhost:3011", "--tabasco", "localhost:3010"]
    return CliRunner().invoke(main, [*words, "--tabasco-key", str(key), *more])


def test_a_policy_says_what_was_given_of_rounds_and_names(tmp_path):
    done = new_policy(
        tmp_path, "--rounds", "3", "--attempts", "2", "--results-per-reader", "1",
        "--next-round", "reader", "--limit", "detached_seconds=60",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    made = json.loads((tmp_path / "policy.json").read_text())
    assert [each["name"] for each in made["identities"]] == list(ROLES)
    assert (made["rounds"], made["attempts"], made["results_per_reader"]) == (3, 2, 1)
    assert made["limits"]["detached_seconds"] == 60


def test_who_is_not_in_the_policy_cannot_be_asked_for_a_round(tmp_path):
    done = new_policy(tmp_path, "--next-round", "nobody")
    assert done.exit_code == 3
    assert "nobody" in done.output
