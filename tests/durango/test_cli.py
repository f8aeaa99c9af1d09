"""The command `durango`: real processes for the whole way, click's runner for the rest."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from colima.runtime import ComputationState, FailureReport, GetFailureReport
from durango import Identity
from durango.cli import main
from support.command_server import script
from support.cutter import cutter
from support.patience import PATIENCE_S
from support.principal_rig import DAY, MEASUREMENT, PROGRAM, key_pem, new_identity, now
from support.terminals import on_terminal
from veracruz_shells.terminal import width_of
from veracruz_utils.digest import Digest
from veracruz_utils.policy import (
    LINUX_SOFTWARE,
    RUNTIME_LAYERS,
    IsolationLayer,
    Policy,
    PolicyFormat,
)

DURANGO = Path(sys.executable).with_name("durango")
SOFTWARE = "a software root of trust: it protects nothing against the owner"


def durango(*args: str, cwd: Path, **how) -> subprocess.CompletedProcess:
    how = {"capture_output": True, "text": True, "timeout": 60} | how
    return subprocess.run([script("durango"), *args], cwd=cwd, check=False, **how)


# The whole way, in processes of their own.


def test_three_principals_take_part_with_separate_commands(rig, tmp_path):
    def run(*args: str) -> str:
        done = durango(*args, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return done.stdout

    for name in ("alice", "bob", "carol"):
        run("identity", "new", "--name", name)
    (tmp_path / "program.wasm").write_bytes(PROGRAM)
    (tmp_path / "tabasco.pem").write_bytes(key_pem(rig.attester.tabasco_key))
    (tmp_path / "people-b.csv").write_bytes(b"bob's people")
    (tmp_path / "people-c.csv").write_bytes(b"carol's people")
    run(
        "policy", "new", "--identity", "alice.cert.pem", "PiProvider",
        "--identity", "bob.cert.pem", "DataProvider",
        "--identity", "carol.cert.pem", "DataProvider,ResultReader",
        "--program", "program.wasm", "--platform", f"{LINUX_SOFTWARE}={MEASUREMENT.hex()}",
        "--sinaloa", str(rig.sinaloa), "--tabasco", str(rig.tabasco),
        "--tabasco-key", "tabasco.pem", "--output", "policy.json",
    )  # fmt: skip
    rig.launch(Policy.parse((tmp_path / "policy.json").read_bytes(), at=now()))
    assert SOFTWARE in run("attest", "policy.json", "--output", "attestation.cbor")
    alice = ("--certificate", "alice.cert.pem", "--key", "alice.key.pem")
    bob = ("--certificate", "bob.cert.pem", "--key", "bob.key.pem")
    carol = ("--certificate", "carol.cert.pem", "--key", "carol.key.pem")
    assert run("status", "policy.json", *bob).startswith("INITIAL: waiting for the program of")
    run("program", "send", "policy.json", "program.wasm", *alice)
    run("data", "send", "policy.json", "people-b.csv", *bob, "--opening", "b.opening")
    run("data", "send", "policy.json", "people-c.csv", *carol)
    run(
        "result", "get", "policy.json", *carol,
        "--output", "result", "--receipt", "receipt.cbor",
    )  # fmt: skip
    assert (tmp_path / "result").read_bytes() == b"bob's peoplecarol's people"
    verdict = run(
        "receipt", "verify", "receipt.cbor", "--policy", "policy.json", "--result", "result",
        "--opening", "b.opening",
    )  # fmt: skip
    assert "the program saw this input" in verdict
    assert SOFTWARE in verdict
    run("shutdown", "policy.json", *carol)
    assert rig.isolate.goodbyes == {2}


def test_a_pipe_feeds_data_and_takes_results(world):
    policy = str(world.policy)
    world.run("program", "send", policy, str(world.program), *world.who("alice"))
    for name in ("bob", "carol"):
        sent = durango(
            "data", "send", policy, "-", *world.who(name),
            cwd=world.folder, text=False, input=b"through a pipe ",
        )  # fmt: skip
        assert sent.returncode == 0, sent.stderr
    got = durango(
        "result", "get", policy, *world.who("carol"), "--output", "-",
        cwd=world.folder, text=False,
    )  # fmt: skip
    assert got.stdout == b"through a pipe through a pipe "


def test_no_progress_bar_is_drawn_into_a_pipe(world):
    done = durango(
        "program", "send", str(world.policy), str(world.program), *world.who("alice"),
        cwd=world.folder,
    )  # fmt: skip
    assert done.returncode == 0
    assert "%" not in done.stderr
    assert "\r" not in done.stderr


def test_a_service_that_is_down_ends_the_process_with_4(world):
    done = durango("attest", str(world.policy), "--sinaloa", "127.0.0.1:1", cwd=world.folder)
    assert done.returncode == 4
    assert "sinaloa at 127.0.0.1:1 cannot be reached" in done.stderr
    assert done.stdout == ""


def test_an_interrupted_wait_ends_with_130_and_leaves_nothing(world):
    out = world.folder / "result"
    waiting = subprocess.Popen(
        [DURANGO, "result", "get", str(world.policy), *world.who("carol"),
         "--output", str(out), "--wait", "600"],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    with waiting:
        assert "attested isolate" in waiting.stderr.readline()
        waiting.send_signal(signal.SIGINT)
        assert waiting.stderr.read().strip() == "durango: interrupted"
    assert waiting.returncode == 130
    assert not out.exists()


def test_shell_completion_prints_something(tmp_path):
    env = {**os.environ, "_DURANGO_COMPLETE": "bash_source"}
    assert "durango" in durango(cwd=tmp_path, env=env).stdout


# Every command has its help.


@pytest.mark.parametrize(
    "command",
    [
        [], ["identity"], ["identity", "new"], ["identity", "show"], ["policy"], ["policy", "new"],
        ["policy", "show"], ["policy", "check"], ["release"], ["release", "trust"],
        ["release", "distrust"], ["release", "add"], ["release", "remove"], ["release", "list"],
        ["attest"], ["program", "send"],
        ["data", "send"], ["stream", "send"], ["result", "get"], ["round", "next"], ["status"],
        ["shutdown"], ["receipt", "get"], ["receipt", "verify"], ["policy", "sign"],
        ["policy", "consent"], ["policy", "revoke"], ["policy", "status"],
    ],
)  # fmt: skip
def test_every_command_has_help(command):
    result = CliRunner().invoke(main, [*command, "-h"])
    assert result.exit_code == 0
    assert result.stdout.startswith("Usage: ")


def test_the_version_is_told():
    assert CliRunner().invoke(main, ["--version"]).stdout.startswith("durango 0.")


# identity


def test_a_new_identity_is_two_files_and_the_key_is_ours_alone(world):
    folder = world.folder / "keys"
    folder.mkdir()
    facts = world.as_json("identity", "new", "--name", "dora", "--output", str(folder))
    assert Path(facts["certificate"]) == folder / "dora.cert.pem"
    assert (folder / "dora.key.pem").stat().st_mode & 0o777 == 0o600
    assert (folder / "dora.cert.pem").stat().st_mode & 0o777 == 0o644
    shown = world.as_json("identity", "show", facts["certificate"])
    assert shown["certificate_digest"] == facts["certificate_digest"]
    assert shown["subject"] == "CN=dora"
    assert shown["key"] == "ECDSA secp256r1"
    assert shown["valid_now"] is True


def test_a_new_identity_takes_a_prefix(world):
    world.run("identity", "new", "--name", "d", "--output", str(world.folder / "x.y"))
    assert (world.folder / "x.y.cert.pem").exists()
    assert (world.folder / "x.y.key.pem").exists()


def test_a_new_identity_overwrites_nothing_unless_forced(world):
    args = ("identity", "new", "--name", "bob", "--output", str(world.folder))
    before = (world.folder / "bob.key.pem").read_bytes()
    assert "exists already" in world.complain(*args, status=1)
    (world.folder / "bob.cert.pem").unlink()
    assert "--force" in world.complain(*args, status=1)
    assert (world.folder / "bob.key.pem").read_bytes() == before
    world.run(*args, "--force")
    assert (world.folder / "bob.key.pem").read_bytes() != before


@pytest.mark.parametrize("name", ["", "a,b", "../x", "x" * 65])
def test_a_name_no_certificate_can_have_is_refused(world, name):
    world.complain("identity", "new", "--name", name, "--output", str(world.folder), status=1)


def test_a_key_file_shown_as_certificate_is_told_apart(world):
    text = world.complain("identity", "show", str(world.folder / "bob.key.pem"), status=1)
    assert "holds PRIVATE KEY, one certificate in PEM is needed" in text


def test_a_key_that_others_can_read_is_warned_of(world):
    (world.folder / "bob.key.pem").chmod(0o644)
    assert "chmod 600" in world.run("status", str(world.policy), *world.who("bob")).stderr


# policy


def new_policy(world, *changes: str) -> list[str]:
    folder = world.folder
    return [
        "policy", "new",
        "--identity", str(folder / "alice.cert.pem"), "PiProvider",
        "--identity", str(folder / "bob.cert.pem"), "DataProvider",
        "--identity", str(folder / "carol.cert.pem"), "DataProvider, ResultReader",
        "--program", str(world.program),
        "--sinaloa", "127.0.0.1:3017", "--tabasco", "127.0.0.1:3010",
        "--output", str(folder / "new.json"),
        *changes,
    ]  # fmt: skip


def usual(world) -> list[str]:
    return [
        "--platform", f"{LINUX_SOFTWARE}={MEASUREMENT.hex()}",
        "--tabasco-key", str(world.folder / "tabasco.pem"),
    ]  # fmt: skip


def test_a_new_policy_says_what_was_asked_for(world):
    facts = world.as_json(
        *new_policy(
            world, *usual(world), "--data-order", "1,2,1", "--stream-order", "2", "--debug",
            "--limit", "run_seconds=9", "--limit", "input_bytes=3MiB",
            "--strategy", "Interpretation", "--platform", "nitro=" + "ab" * 48,
            "--platform", f"{LINUX_SOFTWARE}=" + "cd" * 32,
            "--ciphersuite", "TLS_CHACHA20_POLY1305_SHA256",
        )
    )  # fmt: skip
    made = Policy.parse((world.folder / "new.json").read_bytes(), at=now())
    assert facts["digest"] == str(made.digest)
    assert made.program_digest == Digest.of(PROGRAM)
    assert made.data_provision_order == (1, 2, 1)
    assert made.streaming_order == (2,)
    assert made.debug
    assert made.limits.run_seconds == 9
    assert made.limits.input_bytes == 3 << 20
    assert made.strategy == "Interpretation"
    assert made.ciphersuite.name == "TLS_CHACHA20_POLY1305_SHA256"
    assert made.accepted("nitro").measurements == {b"\xab" * 48}
    assert made.accepted(LINUX_SOFTWARE).measurements == {MEASUREMENT, b"\xcd" * 32}
    assert facts["platforms"][0]["protection"].startswith(SOFTWARE)
    assert [member["roles"] for member in facts["identities"]] == [
        ["PiProvider"],
        ["DataProvider"],
        ["DataProvider", "ResultReader"],
    ]


def test_an_end_is_a_time_or_some_days_from_now(world):
    end = now() + DAY / 2
    facts = world.as_json(*new_policy(world, *usual(world), "--expires", end.isoformat()))
    assert facts["expires_at"] == f"{end:%Y-%m-%dT%H:%M:%SZ}"
    world.run(*new_policy(world, *usual(world), "--days", "1", "--force"))
    made = Policy.parse((world.folder / "new.json").read_bytes(), at=now())
    assert now() < made.expires_at <= now() + DAY


def test_without_an_order_each_data_provider_gives_once(world):
    assert world.as_json(*new_policy(world, *usual(world)))["data_provision_order"] == [1, 2]
    empty = ("--data-order", "", "--force")
    facts = world.as_json(*new_policy(world, *usual(world), *empty))
    assert facts["data_provision_order"] == []


def test_a_new_policy_warns_of_what_deserves_a_second_look(world):
    told = world.run(*new_policy(world, *usual(world), "--debug", "--data-order", "1")).stderr
    assert SOFTWARE in told
    assert "debug is on" in told
    assert "no order has a place" in told


@pytest.mark.parametrize(
    ("words", "layers"),
    [
        ([], RUNTIME_LAYERS),
        (["runtime"], RUNTIME_LAYERS),
        (["runtime", "separate-user"], RUNTIME_LAYERS | {IsolationLayer.SEPARATE_USER}),
        (["seccomp", "landlock"], {IsolationLayer.SECCOMP, IsolationLayer.LANDLOCK}),
        (["none"], frozenset()),
    ],
)
def test_a_policy_says_the_least_isolation_that_it_accepts(world, words, layers):
    options = [option for word in words for option in ("--isolation", word)]
    facts = world.as_json(*new_policy(world, *usual(world), *options))
    assert facts["isolation"] == [layer for layer in IsolationLayer if layer in layers]
    text = (world.folder / "new.json").read_bytes()
    assert Policy.parse(text, at=now()).isolation == layers


def test_a_policy_that_asks_for_less_than_the_runtime_gives_is_warned_of(world):
    few = world.run(*new_policy(world, *usual(world), "--isolation", "not-dumpable")).stderr
    assert "warning: it does not ask for" in few
    assert "no-new-privileges" in few
    none = world.run(*new_policy(world, *usual(world), "--isolation", "none", "--force")).stderr
    assert "it asks for no layer of isolation" in none
    assert "isolation" not in world.run(*new_policy(world, *usual(world), "--force")).stderr


def test_a_policy_of_2021_is_written_too(world):
    platform = ("--platform", f"{LINUX_SOFTWARE}={MEASUREMENT.hex()}")
    world.run(*new_policy(world, *platform, "--format", "2021"))
    made = Policy.parse((world.folder / "new.json").read_bytes(), at=now())
    assert made.format is PolicyFormat.VERACRUZ_2021
    assert made.tabasco_key is None


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (["--platform", "nitro=x"], "is not NAME or NAME=HEX"),
        (["--platform", "nitro"], "does not say which runtime"),
        (["--limit", "nonsense=1"], "run_seconds"),
        (["--limit", "run_seconds=1", "--limit", "run_seconds=2"], "given once"),
        (["--data-order", "1;2"], "not a list of client ids"),
        (["--expires", "tomorrow"], "not a time such as"),
        (["--expires", "2027-01-31T00:00:00Z", "--days", "1"], "give one"),
        (["--identity", "nowhere", "Reader"], "No such file"),
        (["--isolation", "walls"], "separate-user"),
        (["--isolation", "none", "--isolation", "seccomp"], "none stands alone"),
        (["--sinaloa", "nowhere"], "HOST:PORT"),
    ],
)
def test_terms_nobody_can_read_are_wrong_usage(world, change, text):
    status = 1 if "nowhere" in change and "--identity" in change else 2
    told = world.complain(*new_policy(world, *usual(world), *change), status=status)
    assert text in " ".join(told.replace("│", "").split())
    assert not (world.folder / "new.json").exists()


def test_a_role_that_is_none_is_wrong_usage(world):
    bob = str(world.folder / "bob.cert.pem")
    told = world.complain(*new_policy(world, *usual(world), "--identity", bob, "Boss"), status=2)
    assert "PiProvider" in told


def test_a_policy_that_accepts_nothing_is_wrong_usage(world):
    assert "at least one runtime" in world.complain(*new_policy(world), status=2)


def test_a_policy_that_names_no_key_of_tabasco_is_wrong_usage(world):
    platform = usual(world)[:2]
    told = world.complain(*new_policy(world, *platform), status=2)
    assert "give --tabasco-key with the file" in told


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (["--ciphersuite", "TLS_RSA_WITH_AES_128_GCM_SHA256"], "cannot be used"),
        (["--ciphersuite", "WRONG CIPHERSUITE"], "is not a cipher suite"),
        (["--data-order", "9"], "9"),
        (["--data-order", "0"], "0"),
        (["--limit", "run_seconds=0"], "run_seconds"),
        (["--platform", "nitro=abcd"], "$.platforms[1].measurements[0]"),
    ],
)
def test_terms_no_policy_can_have_are_refused(world, change, text):
    told = world.complain(*new_policy(world, *usual(world), *change), status=3)
    assert "durango: policy: " in told
    assert text in told
    assert not (world.folder / "new.json").exists()


def test_a_policy_that_is_there_is_not_overwritten_unless_forced(world):
    world.run(*new_policy(world, *usual(world)))
    assert "--force" in world.complain(*new_policy(world, *usual(world)), status=1)
    world.run(*new_policy(world, *usual(world), "--force"))


def test_a_policy_is_shown_with_what_its_platforms_protect_against(world):
    text = world.run("policy", "show", str(world.policy)).stdout
    assert str(world.rig.isolate.policy.digest) in text
    assert "client 1   DataProvider (input 0)" in text
    assert SOFTWARE in text
    facts = world.as_json("policy", "show", str(world.policy))
    assert facts["identities"][2]["inputs"] == [1]
    assert facts["limits"]["run_seconds"] == 300
    asked = [layer for layer in IsolationLayer if layer in RUNTIME_LAYERS]
    assert facts["isolation"] == asked
    assert f"isolation  at least {', '.join(asked)}" in text


def test_a_policy_is_checked(world):
    facts = world.as_json("policy", "check", str(world.policy))
    assert facts["digest"] == str(world.rig.isolate.policy.digest)
    assert any(SOFTWARE in warning for warning in facts["warnings"])
    assert "can be used" in world.run("policy", "check", str(world.policy)).stdout


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text[:-10],
        lambda text: text.replace(b'"debug"', b'"debug": true, "debug"'),
        lambda text: text.replace(b'"debug"', b'"unknown": true, "debug"'),
        lambda text: text.replace(b"PiProvider", b"DataProvider"),
        lambda text: b"",
    ],
)
def test_a_policy_that_cannot_be_used_is_refused_everywhere(world, spoil):
    world.policy.write_bytes(spoil(world.policy.read_bytes()))
    path = str(world.policy)
    for command in (["policy", "check", path], ["policy", "show", path], ["attest", path]):
        assert f"durango: policy {path}: " in world.complain(*command, status=3)
    assert world.rig.isolate.seen == []


def test_a_policy_that_has_expired_is_refused_by_who_checks_it(world):
    raw = world.policy.read_bytes()
    world.policy.write_bytes(raw.replace(b'"expires_at": "20', b'"expires_at": "19'))
    checked = CliRunner().invoke(main, ["policy", "check", str(world.policy)])
    assert checked.exit_code == 3
    assert "error: it ended at 19" in checked.stdout
    assert f"{world.policy} cannot be used: it ended at 19" in checked.stderr
    # To look at it is no use of it.
    assert "ends" in world.run("policy", "show", str(world.policy)).stdout


# attest


def test_attest_says_what_was_checked_against_what(world):
    text = world.run("attest", str(world.policy)).stdout
    for word in ("result signature", "token challenge", "measurement", "lifecycle", SOFTWARE):
        assert word in text
    facts = world.as_json("attest", str(world.policy))
    assert facts["protection"].startswith(SOFTWARE)
    assert len(facts["checks"]) == 12
    asked = [layer for layer in IsolationLayer if layer in RUNTIME_LAYERS]
    assert facts["isolation"] == asked
    assert f"layers of isolation in force: {', '.join(asked)}" in text
    assert facts["certificate_digest"] == str(Digest.of(world.rig.isolate.identity.certificate))


def test_an_isolate_that_is_refused_ends_the_command_with_3(world):
    world.rig.launch(world.rig.policy(debug=True))
    told = world.complain("attest", str(world.policy), status=3)
    assert "durango: attestation refused at policy: found " in told


def test_a_policy_of_2021_needs_the_key_option(world):
    world.launch(world.rig.policy_2021())
    assert "--tabasco-key" in world.complain("attest", str(world.policy), status=1)
    key = ("--tabasco-key", str(world.folder / "tabasco.pem"))
    assert SOFTWARE in world.run("attest", str(world.policy), *key).stdout
    env = {"DURANGO_TABASCO_KEY": str(world.folder / "tabasco.pem")}
    assert SOFTWARE in world.run("attest", str(world.policy), env=env).stdout


def test_a_saved_attestation_is_used_and_checked_anew(world):
    saved = str(world.folder / "attestation.cbor")
    world.run("attest", str(world.policy), "--output", saved)
    who = world.who("bob")
    nowhere = ("--tabasco", "127.0.0.1:1")
    world.complain("status", str(world.policy), *who, *nowhere, status=4)
    world.run("status", str(world.policy), *who, *nowhere, "--attestation", saved)
    world.launch(world.rig.policy(debug=True))
    told = world.complain("status", str(world.policy), *who, "--attestation", saved, status=3)
    assert "attestation refused at policy" in told


def test_a_file_that_is_no_attestation_is_told_apart(world):
    junk = world.file("junk")
    args = ("status", str(world.policy), *world.who("bob"), "--attestation", junk)
    assert "not an attestation file" in world.complain(*args, status=1)


# sending and fetching


def test_what_was_sent_is_told_with_stable_keys(world):
    policy = str(world.policy)
    facts = world.as_json("program", "send", policy, str(world.program), *world.who("alice"))
    assert facts["program_digest"] == str(Digest.of(PROGRAM))
    assert facts["attestation"]["protection"].startswith(SOFTWARE)
    opening = str(world.folder / "opening")
    facts = world.as_json(
        "data", "send", policy, world.file("b", b"bob's"), *world.who("bob"),
        "--package", "4", "--opening", opening,
    )  # fmt: skip
    assert facts["digest"] == str(Digest.of(b"bob's"))
    assert (facts["client_id"], facts["package_id"], facts["kind"]) == (1, 4, "data")
    assert len(facts["commitment"]) == 64
    assert Path(opening).stat().st_mode & 0o777 == 0o600
    assert "salt" not in facts


def test_whoever_connects_is_told_what_the_platform_protects_against(world):
    assert SOFTWARE in world.run("status", str(world.policy), *world.who("bob")).stderr


def test_identity_and_policy_may_come_from_the_environment(world):
    env = {
        "DURANGO_CERTIFICATE": str(world.folder / "bob.cert.pem"),
        "DURANGO_KEY": str(world.folder / "bob.key.pem"),
        "DURANGO_TIMEOUT": "20",
    }
    assert world.as_json("status", str(world.policy), env=env)["state"] == "INITIAL"


@pytest.mark.parametrize(
    ("who", "command"),
    [
        ("bob", ["program", "send", "POLICY", "FILE"]),
        ("alice", ["data", "send", "POLICY", "FILE"]),
        ("alice", ["stream", "send", "POLICY", "FILE"]),
        ("carol", ["stream", "send", "POLICY", "FILE"]),
        ("bob", ["result", "get", "POLICY", "--output", "out"]),
        ("alice", ["round", "next", "POLICY"]),
        ("alice", ["shutdown", "POLICY"]),
    ],
)
def test_what_the_policy_does_not_give_is_refused_before_anyone_is_asked(world, who, command):
    names = {"POLICY": str(world.policy), "FILE": str(world.program)}
    args = [names.get(word, word) for word in command]
    nowhere = ("--sinaloa", "127.0.0.1:1")
    told = world.complain(*args, *world.who(who), *nowhere, status=3)
    assert "durango: client " in told
    assert world.rig.isolate.seen == []


def test_the_policy_does_not_come_from_where_the_content_may(world):
    world.complain("data", "send", "-", "-", *world.who("bob"), status=2, stdin=b"")


def test_a_stranger_is_refused_before_anyone_is_asked(world):
    world.write_identity("eve", new_identity("eve"))
    args = ("status", str(world.policy), *world.who("eve"), "--sinaloa", "127.0.0.1:1")
    assert "is not in policy" in world.complain(*args, status=3)


def test_an_unmatched_pair_is_told_apart(world):
    args = ["status", str(world.policy), "--certificate", str(world.folder / "bob.cert.pem")]
    told = world.complain(*args, "--key", str(world.folder / "alice.key.pem"), status=1)
    assert "is not the key of" in told


def test_a_wrong_program_is_refused_with_both_digests(world):
    other = world.file("other.wasm", b"another program")
    told = world.complain(
        "program", "send", str(world.policy), other, *world.who("alice"), status=3
    )
    assert str(Digest.of(PROGRAM)) in told
    assert str(Digest.of(b"another program")) in told
    assert world.rig.isolate.seen == []


def test_a_missing_input_is_named_before_anyone_is_asked(world):
    args = ("data", "send", str(world.policy), "nowhere", *world.who("bob"))
    assert "nowhere cannot be read" in world.complain(*args, status=1)


def test_a_datum_before_the_program_fails_with_1_and_a_duplicate_with_3(world):
    policy = str(world.policy)
    send = ("data", "send", policy, world.file("b"), *world.who("bob"))
    assert "wrong state" in world.complain(*send, status=1)
    world.run("program", "send", policy, str(world.program), *world.who("alice"))
    world.run(*send)
    assert "duplicate package" in world.complain(*send, status=3)


def test_a_result_is_saved_whole_and_overwrites_nothing(world):
    world.provide_everything()
    out = str(world.folder / "result")
    args = ("result", "get", str(world.policy), *world.who("carol"), "--output", out)
    facts = world.as_json(*args)
    assert Path(out).read_bytes() == b"bob'scarol's"
    assert facts["digest"] == str(Digest.of(b"bob'scarol's"))
    assert facts["receipt"]["engine"] == "scripted 1.0"
    seen = len(world.rig.isolate.seen)
    assert "--force" in world.complain(*args, status=1)
    assert len(world.rig.isolate.seen) == seen
    world.run(*args, "--force")


def test_a_result_that_is_too_early_leaves_no_file(world):
    out = str(world.folder / "result")
    args = ("result", "get", str(world.policy), *world.who("carol"), "--output", out)
    assert "wrong state" in world.complain(*args, status=1)
    assert "wrong state" in world.complain(*args, "--wait", "0.001", status=1)
    assert not Path(out).exists()


def test_a_program_that_fails_leaves_a_receipt_and_no_result(world):
    world.rig.isolate.compute = lambda _: -5
    world.provide_everything()
    out, receipt = str(world.folder / "result"), str(world.folder / "receipt")
    told = world.complain(
        "result", "get", str(world.policy), *world.who("carol"),
        "--output", out, "--receipt", receipt, status=1,
    )  # fmt: skip
    assert "error code -5" in told
    assert not Path(out).exists()
    assert Path(receipt).exists()


def test_a_program_that_writes_nothing_leaves_a_receipt_and_no_result(world):
    world.rig.isolate.compute = lambda _: None
    world.provide_everything()
    out, receipt = str(world.folder / "result"), str(world.folder / "receipt")
    told = world.complain(
        "result", "get", str(world.policy), *world.who("carol"),
        "--output", out, "--receipt", receipt, status=1,
    )  # fmt: skip
    assert "wrote no result" in told
    assert not Path(out).exists()
    assert Path(receipt).exists()


def test_json_and_the_result_do_not_share_standard_output(world):
    args = ("result", "get", str(world.policy), *world.who("carol"), "--output", "-", "--json")
    world.complain(*args, status=2)


def test_rounds_go_on_with_new_stream_items(world):
    world.launch(world.rig.policy(data_provision_order=[1], streaming_order=[2]))
    policy, carol = str(world.policy), world.who("carol")
    world.run("program", "send", policy, str(world.program), *world.who("alice"))
    world.run("data", "send", policy, world.file("d", b"data"), *world.who("bob"))
    for number in (b"1", b"2"):
        world.run("stream", "send", policy, world.file("s", number), *carol)
        out = str(world.folder / f"result-{number.decode()}")
        world.run("result", "get", policy, *carol, "--output", out)
        assert Path(out).read_bytes() == b"data" + number
        facts = world.as_json("round", "next", policy, *carol)
        assert facts["state"] == "STREAM_SOURCES_LOADING"
        assert facts["round"] == int(number) + 1


@pytest.mark.parametrize("state", list(ComputationState))
def test_every_state_is_told_in_words(world, state):
    world.launch(world.rig.policy(streaming_order=[1]))
    world.rig.isolate.state = state
    text = world.run("status", str(world.policy), *world.who("bob")).stdout
    assert text.startswith(f"{state.name}: ")
    assert world.as_json("status", str(world.policy), *world.who("bob"))["state"] == state.name


def test_the_author_and_nobody_else_is_told_how_a_computation_failed(world):
    world.launch(world.rig.policy())
    world.rig.isolate.state = ComputationState.ERROR
    author, other = world.who("alice"), world.who("bob")
    assert world.run("status", str(world.policy), *author).stdout.splitlines()[-3:] == [
        "failure trapped: unreachable",
        "  in function 7 divide at offset 0x1f4",
        "  in function 2",
    ]
    assert world.as_json("status", str(world.policy), *author)["failure"] == {
        "failure": "trapped: unreachable",
        "frames": [
            {"function": 7, "offset": 500, "name": "divide"},
            {"function": 2, "offset": None, "name": None},
        ],
    }
    assert world.as_json("status", str(world.policy), *other)["failure"] is None
    assert "trapped" not in world.run("status", str(world.policy), *other).stdout


def test_what_the_program_said_is_shown_to_its_author_and_does_nothing_to_a_terminal(world):
    world.launch(world.rig.policy(debug=True))
    world.rig.isolate.state = ComputationState.FINISHED_EXECUTING
    said = FailureReport("returned: -1", (), "one\n\ttwo\x1b[31m\n")
    world.rig.isolate.answer_with = lambda request: (
        said if isinstance(request, GetFailureReport) else None
    )
    text = world.run("status", str(world.policy), *world.who("alice")).stdout
    assert text.splitlines()[-4:] == [
        "failure returned: -1", "the program says:", "  one", "  '    two\\x1b[31m'"
    ]  # fmt: skip
    facts = world.as_json("status", str(world.policy), *world.who("alice"))
    assert (facts["failure"]["failure"], facts["message"]) == ("returned: -1", said.message)
    facts = world.as_json("status", str(world.policy), *world.who("bob"))
    assert (facts["failure"], facts["message"]) == (None, None)


def test_what_a_program_said_is_told_without_a_failure_where_there_is_none(world):
    world.launch(world.rig.policy(debug=True))
    world.rig.isolate.state = ComputationState.FINISHED_EXECUTING
    world.rig.isolate.answer_with = lambda request: (
        FailureReport("", (), "fine") if isinstance(request, GetFailureReport) else None
    )
    text = world.run("status", str(world.policy), *world.who("alice")).stdout
    assert text.splitlines()[-2:] == ["the program says:", "  fine"]
    assert "failure" not in text
    facts = world.as_json("status", str(world.policy), *world.who("alice"))
    assert (facts["failure"], facts["message"]) == (None, "fine")


def test_a_computation_that_goes_on_has_no_failure(world):
    world.launch(world.rig.policy())
    assert world.as_json("status", str(world.policy), *world.who("alice"))["failure"] is None


# Until the isolate is gone a principal can ask, fetch and end, whatever has expired meanwhile.


def expired(world, *, who: str = "", **changes) -> str:
    """A computation ready to run, of which the policy or the certificate of `who` has expired."""
    past = now() - DAY * 3 / 2
    for name in ("alice", "bob", "carol"):
        lifetime = DAY if name == who else 4 * DAY
        identity = Identity.create(name, not_before=now() - 2 * DAY, lifetime=lifetime)
        setattr(world.rig, name, identity)
        world.write_identity(name, identity)
    world.launch(world.rig.policy(at=past, **changes))
    isolate = world.rig.isolate
    isolate.program = PROGRAM
    isolate.inputs = {(1, 0): b"bob's", (2, 0): b"carol's"}
    isolate.state = ComputationState.READY_TO_EXECUTE
    return str(world.policy)


def reads_and_ends(world, policy: str, result: Path) -> None:
    carol = world.who("carol")
    assert world.run("status", policy, *carol).stdout.startswith("READY_TO_EXECUTE: ready")
    world.run("result", "get", policy, *carol, "--output", str(result))
    assert result.read_bytes() == b"bob'scarol's"
    world.run("shutdown", policy, *carol)
    assert world.rig.isolate.goodbyes == {2}


@pytest.mark.parametrize("who", ["alice", "bob"])
def test_the_end_of_somebody_elses_certificate_keeps_nobody_from_reading(world, tmp_path, who):
    policy = expired(world, who=who)
    ended = getattr(world.rig, who)
    reads_and_ends(world, policy, tmp_path / "result")
    world.run("attest", policy)
    seen = list(world.rig.isolate.seen)
    send = ["data", "send", policy, world.file("more", b"a secret"), *world.who("carol")]
    told = world.complain("status", policy, *world.who(who), status=3)
    assert f"certificate {ended.digest.short} expired at" in told
    assert "make a new identity" in told
    assert world.rig.isolate.seen == seen  # nothing was sent
    told = world.run("status", policy, *world.who("carol")).stderr
    assert "warning: the certificate of client" in told
    assert "it can send and fetch nothing" in told
    # Not a word against what others send: the end of one certificate is nobody else's.
    assert "it is too late for this" in world.complain(*send, status=1)


def test_the_end_of_the_policy_keeps_nobody_from_an_isolate_that_is_still_there(world, tmp_path):
    over = now() - DAY / 2
    policy = expired(world, expires_at=over)
    reads_and_ends(world, policy, tmp_path / "result")
    for send in (
        ["data", "send", policy, world.file("more", b"a secret"), *world.who("carol")],
        ["program", "send", policy, str(world.program), *world.who("alice")],
    ):
        assert "$.expires_at: the policy's time ended at" in world.complain(*send, status=3)


def test_an_isolate_that_is_gone_by_its_policys_end_is_told_as_that(world):
    over = now() - DAY / 2
    policy = expired(world, expires_at=over)
    away = ["--sinaloa", "127.0.0.1:1"]
    told = world.complain("status", policy, *world.who("carol"), *away, status=3)
    assert f"durango: the policy expired at {over:%Y-%m-%dT%H:%M:%SZ}, and its isolate" in told


# On a terminal, and waiting.


@pytest.mark.parametrize("columns", [20, 30, 80])
def test_a_watched_state_is_whole_however_narrow_the_terminal(world, columns):
    policy, who = str(world.policy), world.who("alice")
    _, written = on_terminal(
        [DURANGO, "status", policy, *who, "--watch"],
        columns=columns,
        until=lambda text: "\x1b[J" in text and text.endswith("\r\n"),
    )
    drawn = written.split("\x1b[J")[1].partition("durango: interrupted")[0]
    rows = drawn.removesuffix("^C").split("\r\n")
    assert all(width_of(row) < columns for row in rows)
    plain = world.run("status", policy, *who).stdout.partition("program ")[0]
    assert "".join("".join(rows).split()).startswith("".join(plain.split()))


def test_a_watched_state_on_a_dumb_terminal_is_lines(world):
    status, written = on_terminal(
        [DURANGO, "status", str(world.policy), *world.who("alice"), "--watch"],
        until=lambda text: "waiting" in text,
        TERM="dumb",
    )
    assert status == 130
    assert "\x1b" not in written


def test_attest_waits_for_a_bridge_that_is_not_there_yet(world):
    with cutter(world.rig.sinaloa) as way:
        there, way.leads = way.leads, None
        command = [DURANGO, "attest", str(world.policy), "--wait", str(PATIENCE_S)]
        with subprocess.Popen(
            [*command, "--sinaloa", str(way.address)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        ) as process:  # fmt: skip
            assert "(waiting for up to" in process.stderr.readline()
            way.leads = there
            out, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    assert "accepted: isolate" in out


def test_attest_that_waited_in_vain_says_why(world):
    nobody = ("--sinaloa", "127.0.0.1:1", "--wait", "0.1")
    told = world.complain("attest", str(world.policy), *nobody, status=4)
    assert told.count("sinaloa at 127.0.0.1:1 cannot be reached") == 2
    assert "(waiting for up to 0 s)" in told
