"""The services as processes: ready, healthy, ended cleanly, refusing to start with a reason."""

import json
import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from colima import sinaloa, tabasco
from colima.runtime import ComputationState
from sdk.toolchains.python_core import joined
from sonora.users import own_user
from support.cores import CORE
from support.patience import PATIENCE_S
from support.processes import eventually, runs
from support.runtime_guests import ENDLESS, HELLO
from support.stack import PI, RESULT, SCRIPTS, below, run
from veracruz import Service
from veracruz_shells.channels import is_serving, open_channel
from veracruz_utils.digest import Digest


@pytest.fixture(scope="module")
def computation(stack):
    with stack.computation([PI, RESULT], program=HELLO) as computation:
        yield computation


def address_of_health(said: str) -> str:
    """Where Sonora answers health checks, from the line that says it is ready."""
    return said.split("health on ")[1].split(maxsplit=1)[0]


# Ready and healthy.


def test_every_service_answers_health_checks(stack, computation):
    services = {
        str(stack.tabasco_address): ("", tabasco.SERVICE),
        str(computation.address): ("", sinaloa.SERVICE),
        address_of_health(stack.sonora_said): ("",),
    }
    for address, names in services.items():
        with open_channel(address) as channel:
            assert all(is_serving(channel, service=name, timeout_s=PATIENCE_S) for name in names)
            assert not is_serving(channel, service="no.such.Service", timeout_s=PATIENCE_S)


def test_a_bridge_says_what_it_serves_once_it_is_ready(computation):
    words = computation.sinaloa.last_words
    assert f"sinaloa: ready on {computation.address}: policy {computation.policy.digest}" in words
    assert "on linux-software-root" in words


def test_sonora_says_what_its_platform_does_not_protect_from(stack):
    assert "no protection from whoever owns or administers this machine" in stack.sonora_said


@pytest.mark.parametrize("program", ["tabasco", "sinaloa"])
def test_a_program_reads_where_a_service_listens_from_one_json_object(
    stack, computation, tmp_path, program
):
    arguments = {
        "tabasco": ["--state", tmp_path / "tabasco"],
        "sinaloa": [computation.policy_file, "--sonora", stack.socket],
    }[program]
    service = subprocess.Popen(
        [SCRIPTS / program, "serve", *arguments, "--listen", "127.0.0.1:0", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with service:
        facts = json.loads(service.stdout.readline())
        with open_channel(facts["address"]) as channel:
            assert is_serving(channel, timeout_s=PATIENCE_S)
        service.send_signal(signal.SIGINT)
        assert service.stdout.read() == ""
    assert service.returncode == 0


def test_sonora_says_as_whom_it_runs_and_which_layers_are_in_force(stack, tmp_path):
    service = subprocess.Popen(
        [
            SCRIPTS / "sonora", "serve", "--state", stack.folder / "sonora", "--json",
            "--tabasco", str(stack.tabasco_address), "--socket", tmp_path / "another.sock",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    with service:
        facts = json.loads(service.stdout.readline())
        service.send_signal(signal.SIGTERM)
        said = service.stderr.read()
    assert service.returncode == 0
    assert facts["user"] == own_user().name
    assert facts["bridge"] == {"user": None, "group": None, "separate": False}
    assert "separate-user" in facts["layers_missing"]
    assert not set(facts["layers"]) & set(facts["layers_missing"])
    assert f"layers of isolation in force: {', '.join(facts['layers'])}; not: " in said
    as_root = os.getuid() == 0
    assert ("SONORA RUNS AS ROOT" in said) is as_root
    assert (facts["warnings"] != []) is as_root


def test_sonora_compiles_the_core_of_a_program_before_anybody_asks(stack, tmp_path):
    file = tmp_path / "program.wasm"
    file.write_bytes(joined(CORE, b"the author's part"))
    sonora = stack.start_sonora("prepared.sock", "--prepare", file)
    sonora.wait_ready()
    assert eventually(lambda: f"code of core {Digest.of(CORE)} prepared:" in sonora.last_words)
    assert sonora.stop() == 0


# Ended.


def test_sigterm_ends_a_tabasco_cleanly_and_it_starts_again_with_its_key(tmp_path):
    state = tmp_path / "tabasco"
    keys = []
    for _ in range(2):
        service = Service("tabasco", ["serve", "--state", str(state), "--listen", "127.0.0.1:0"])
        with service:
            service.wait_ready()
            keys.append(run("tabasco", "public-key", "--state", state).done().out)
            assert service.stop() == 0
    assert keys[0] == keys[1]


def test_sigterm_ends_a_bridge_and_its_isolate_whatever_they_do(stack):
    with stack.computation([PI, RESULT], [RESULT], program=ENDLESS) as computation:
        computation.send_program()
        asking = subprocess.Popen(
            [
                *(SCRIPTS / "durango", "result", "get", computation.policy_file),
                *("--output", computation.folder / "result"),
                *("--sinaloa", str(computation.address), *computation.who(0)),
                *("--timeout", "3"),
            ],
            stderr=subprocess.PIPE,
            text=True,
        )
        with asking, computation.connect(1) as other:
            assert eventually(lambda: other.state().running)
            isolate = [computation.front, computation.guest]
            assert computation.sinaloa.stop() == 0
            complaint = asking.stderr.read()
        assert asking.returncode == 4
        assert "sinaloa at" in complaint
        assert eventually(lambda: not any(map(runs, isolate)))
    stack.serve_somebody()


def test_sigterm_ends_a_sonora_and_everything_below_it(stack):
    sonora = stack.start_sonora("ended.sock")
    path = Path(sonora.wait_ready())
    with stack.computation([PI, RESULT], program=HELLO, sonora=sonora) as computation:
        tree = below(sonora.process_id)
        assert len(tree) == 4  # the zygote, the front, the keeper, the guest
        assert sonora.stop() == 0
        assert computation.sinaloa.wait(PATIENCE_S) == 1
        assert "sonora went away, and the isolate with it" in computation.sinaloa.last_words
    assert eventually(lambda: not any(map(runs, tree)))
    assert not path.exists()


def test_the_last_readers_shutdown_ends_the_bridge_with_0_and_the_isolate(stack):
    with stack.computation([PI, RESULT], [RESULT], program=HELLO) as computation:
        isolate = [computation.front, computation.guest]
        computation.send_program()
        assert computation.result(1) == b"hello"
        computation.durango("shutdown", client=0).done()
        assert computation.state(1) is ComputationState.FINISHED_EXECUTING
        told = computation.durango("shutdown", client=1).done()
        assert "client 1 has asked, and so has every other reader: the isolate ends" in told.out
        assert computation.sinaloa.wait(PATIENCE_S) == 0
        assert "done: every result reader asked for shutdown" in computation.sinaloa.last_words
        asked = computation.durango("status", client=0)
        asked.refused(4, "sinaloa at", "cannot be reached", "sinaloa serve")
    assert eventually(lambda: not any(map(runs, isolate)))


# Refusing to start, with the reason and the remedy.


def test_a_port_in_use_is_named_by_every_service(stack, computation, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        for command in (
            ("tabasco", "serve", "--state", tmp_path / "tabasco"),
            ("sinaloa", "serve", computation.policy_file, "--sonora", stack.socket),
            (
                *("sonora", "serve", "--state", stack.folder / "sonora"),
                *("--tabasco", stack.tabasco_address, "--socket", tmp_path / "sonora.sock"),
            ),
        ):
            started = run(*command, "--listen", address)
            started.refused(
                1, f"cannot listen on {address}: address already in use", "choose another address"
            )
    assert not (tmp_path / "sonora.sock").exists()
    computation.attest()


def test_a_socket_in_use_is_left_to_the_sonora_that_has_it(stack, computation):
    started = run(
        *("sonora", "serve", "--state", stack.folder / "sonora"),
        *("--tabasco", stack.tabasco_address, "--socket", stack.socket),
    )
    started.refused(1, f"another sonora listens on {stack.socket}", "choose another --socket")
    computation.attest()


def test_services_that_are_down_are_named_with_how_to_start_them(stack, computation, tmp_path):
    nobody = "127.0.0.1:1"
    status = ("durango", "status", computation.policy_file, *computation.who(0))
    run(*status, "--sinaloa", nobody).refused(
        4, f"sinaloa at {nobody} cannot be reached (connection refused)", "sinaloa serve"
    )
    run(*status, "--sinaloa", computation.address, "--tabasco", nobody).refused(
        4, f"tabasco at {nobody} cannot be reached (connection refused)", "tabasco serve"
    )
    sonora = ("sonora", "serve", "--state", stack.folder / "sonora")
    run(*sonora, "--tabasco", nobody, "--socket", tmp_path / "s", "--patience", "1").refused(
        4, f"tabasco at {nobody} cannot be reached", "tabasco serve"
    )
    run("sinaloa", "serve", computation.policy_file, "--sonora", tmp_path / "s").refused(
        4, f"sonora at {tmp_path / 's'} cannot be reached", "sonora serve", "--sonora"
    )


def test_another_service_at_the_address_is_told_apart(stack, computation):
    for where in ("--sinaloa", "--tabasco"):
        wrong = {"--sinaloa": stack.tabasco_address, "--tabasco": computation.address}[where]
        places = {"--sinaloa": computation.address, where: wrong}
        options = [item for place in places.items() for item in place]
        asked = run("durango", "attest", computation.policy_file, *options)
        asked.refused(1, f"at {wrong} is another service", "correct the address")


@pytest.mark.parametrize("content", [b"garbage", b"\xff" * 100_000], ids=["short", "long"])
def test_a_spoiled_database_is_named(tmp_path, content):
    state = tmp_path / "tabasco"
    run("tabasco", "init", "--state", state).done()
    (state / "tabasco.db").write_bytes(content)
    started = run("tabasco", "serve", "--state", state, "--listen", "127.0.0.1:0")
    started.refused(1, "tabasco.db")


def test_a_spoiled_key_of_tabasco_is_named_and_not_replaced(tmp_path):
    state = tmp_path / "tabasco"
    run("tabasco", "init", "--state", state).done()
    (key,) = [path for path in state.iterdir() if "key" in path.name]
    key.write_bytes(b"garbage")
    started = run("tabasco", "serve", "--state", state, "--listen", "127.0.0.1:0")
    started.refused(1, str(key))
    assert key.read_bytes() == b"garbage"


def test_a_spoiled_or_readable_key_of_sonora_is_named(stack, tmp_path):
    state = tmp_path / "sonora"
    serve = ("sonora", "serve", "--state", state, "--tabasco", stack.tabasco_address)
    run(*serve).refused(1, "no software root key", f"sonora init --state {state}")
    run("sonora", "init", "--state", state).done()
    key = state / "software-root.key.pem"
    key.chmod(0o644)
    run(*serve).refused(1, f"{key} may be read by others", "chmod 600")
    key.chmod(0o600)
    key.write_bytes(b"garbage")
    run(*serve).refused(1, f"{key} is not a private key in PEM")
    run("sonora", "init", "--state", state).refused(1, "exists already")


def test_a_root_has_one_fingerprint_where_it_is_made_and_where_it_is_trusted(tmp_path):
    made = run("sonora", "init", "--state", tmp_path / "sonora", "--json").json
    add = ("tabasco", "root", "add", "--state", tmp_path / "tabasco", "--name", "lab", "--json")
    added = run(*add, made["public_key"]).json
    assert made["fingerprint"] == added["fingerprint"]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda raw: raw[: len(raw) // 2], "policy"),
        (lambda raw: b"", "policy"),
        (lambda raw: raw.replace(b'"debug"', b'"bedug"'), "bedug"),
        (lambda raw: raw.replace(b"0", b"1", 40), "policy"),
    ],
    ids=["cut off", "empty", "an unknown field", "other bytes"],
)
def test_a_spoiled_policy_is_refused_by_bridge_and_principal(stack, computation, spoil, words):
    path = computation.file(spoil(computation.policy.raw), "spoiled.json")
    run("sinaloa", "serve", path, "--sonora", stack.socket).refused(3, words)
    run("durango", "attest", path).refused(3, words)


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("--certificate", "holds no PEM block, one certificate in PEM is needed"),
        ("--key", "holds no PEM block, one private key in PEM is needed"),
        ("--attestation", "not an attestation file"),
    ],
)
def test_a_spoiled_file_of_a_principal_is_named(computation, option, words):
    garbage = computation.file(b"garbage", "garbage")
    who = dict(zip(*[iter(computation.who(0))] * 2, strict=True)) | {option: garbage}
    options = [item for pair in who.items() for item in pair]
    computation.durango("status", *options).refused(1, words)
