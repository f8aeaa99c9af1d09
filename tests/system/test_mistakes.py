"""Honest mistakes: each gets the message and the exit status that it needs, and harms nobody.

Wrong files and types are in `test_disclosure`, order, repetition, withdrawal and absent readers in
`test_repair`, breaks in `test_interruptions`, ends of policies and certificates in `test_endings`,
disks in `test_full_disk`. Here are wrong keys, policies, addresses and terminals.
"""

import json
import os
import socket
import subprocess

import pytest

from support.runtime_guests import COLLECTOR
from support.stack import DATA, PI, RESULT, SCRIPTS, Computation, new_party, run


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def computation(stack):
    roles = ([PI], [DATA], [DATA, RESULT])
    with stack.computation(*roles, program=COLLECTOR, data=[1, 2]) as computation:
        computation.send_program()
        yield computation


@pytest.fixture(autouse=True)
def others_go_on(computation):
    """Whatever somebody did wrong, the others are served as before."""
    yield
    assert computation.durango("status", client=2).done()


def send(computation: Computation, *words: object, **changes: object):
    """`durango data send` of client 1, in which one thing is another's or wrong."""
    who = dict(zip(*[iter(computation.who(1))] * 2, strict=True))
    options = {"--sinaloa": computation.address, **who, **changes}
    policy = options.pop("policy", computation.policy_file)
    given = [word for option in options.items() for word in option]
    content = computation.file(b"data")
    words = ("data", "send", policy, content, *given, *words)
    return run("durango", *words, cwd=computation.folder)


def test_a_key_of_another_certificate_is_told(computation):
    other = computation.who(2)
    told = send(computation, **{"--key": other[3]})
    told.refused(1, str(other[3]), "is not the key of", "the two files that were made together")


def test_a_certificate_of_nobody_is_told_with_its_digest(computation):
    stranger = new_party("party-1")
    who = dict(zip(*[iter(computation.who(stranger))] * 2, strict=True))
    told = send(computation, **who)
    told.refused(3, str(stranger.digest), "is not in policy", "give the certificate that")


def test_a_key_that_is_a_certificate_is_told(computation):
    certificate = computation.who(1)[1]
    send(computation, **{"--key": certificate}).refused(1, "CERTIFICATE", "one private key in PEM")


def test_another_program_is_told_with_both_digests(computation):
    told = computation.durango("program send", computation.file(b"\0asm\1\0\0\0", "x"), client=0)
    told.refused(3, "has digest", str(computation.policy.program_digest))


def test_one_byte_more_is_another_policy(computation):
    path = computation.file(computation.policy.raw + b"\n", "one-byte.json")
    told = send(computation, policy=path)
    told.refused(3, "policy", str(computation.policy.digest))


def test_one_field_more_or_less_is_another_policy(computation):
    document = json.loads(computation.policy.raw)
    document["attempts"] = 2
    changed = computation.file(json.dumps(document).encode(), "one-field.json")
    told = send(computation, policy=changed)
    told.refused(3, str(computation.policy.digest))
    compared = run("durango", "policy", "diff", computation.policy_file, changed)
    assert compared.status == 1
    assert "attempts: 3 -> 2" in compared.out
    del document["expires_at"]
    spoiled = computation.file(json.dumps(document).encode(), "spoiled.json")
    send(computation, policy=spoiled).refused(3, str(spoiled), "expires_at")


def test_another_key_of_the_attestation_service_is_told(computation, stack):
    other = run("tabasco", "init", "--state", computation.folder / "other").done()
    assert other
    key = run("tabasco", "public-key", "--state", computation.folder / "other").done().out
    path = computation.file(key.encode(), "other.pem")
    told = send(computation, **{"--tabasco-key": path})
    told.refused(1, "the key given for Tabasco is", "the policy names")


def test_a_port_where_nobody_is_is_told_with_the_address(computation):
    nowhere = f"127.0.0.1:{free_port()}"
    told = send(computation, "--timeout", "2", **{"--sinaloa": nowhere})
    told.refused(4, nowhere, "cannot be reached")


def test_a_port_where_somebody_else_is_is_told(computation, stack):
    told = send(computation, "--timeout", "5", **{"--sinaloa": stack.tabasco_address})
    assert told.status in {1, 4}
    assert str(stack.tabasco_address) in told.err
    assert "internal error" not in told.err


def test_an_attestation_service_that_is_down_is_told_and_nothing_is_sent(computation):
    nowhere = f"127.0.0.1:{free_port()}"
    told = send(computation, "--timeout", "2", **{"--tabasco": nowhere})
    told.refused(4, nowhere)


@pytest.mark.parametrize(
    "terminal",
    [{"TERM": "dumb"}, {"NO_COLOR": "1"}, {"COLUMNS": "20"}, {"TERM": ""}, {"LANG": "C"}],
)
def test_whatever_the_terminal_status_is_told(computation, terminal):
    words = ["status", computation.policy_file, "--sinaloa", computation.address]
    words += computation.who(2)
    told = run("durango", *words, environment={**os.environ, **terminal})
    assert "DATA_SOURCES_LOADING" in told.done().out
    assert "\x1b" not in told.out + told.err


@pytest.mark.parametrize("closed", ["stdin", "stdout", "stderr"])
def test_a_stream_that_is_closed_is_no_crash(computation, closed):
    number = {"stdin": 0, "stdout": 1, "stderr": 2}[closed]
    words = ["status", computation.policy_file, "--sinaloa", computation.address]
    words = [str(SCRIPTS / "durango"), *map(str, [*words, *computation.who(2)])]
    done = subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {number}>&-', "sh", *words],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    assert done.returncode in {0, 1}


def test_a_path_with_spaces_is_a_path(computation):
    folder = computation.folder / "with some spaces"
    folder.mkdir(exist_ok=True)
    policy = folder / "the policy.json"
    policy.write_bytes(computation.policy.raw)
    words = ["status", policy, "--sinaloa", computation.address, *computation.who(2)]
    assert "DATA_SOURCES_LOADING" in run("durango", *words).done().out
