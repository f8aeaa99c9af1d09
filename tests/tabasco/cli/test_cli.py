"""The command line: the register by hand, and the service as a process of its own."""

import json
import re
import signal
import socket
import stat
import subprocess
import sys
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.serialization import load_pem_public_key

import colima.tabasco as wire
from colima import decode, encode
from psa_attestation.results.ear import verify_ear
from support.enrolment import RootAttester, SoftwareRoot, new_key, pem
from support.patience import PATIENCE_S
from support.throwaway_chain import YEAR, Form, authority, issue
from tabasco.cli import main
from veracruz_shells.channels import is_serving, open_channel, unary
from veracruz_shells.service import GrpcService
from veracruz_utils.errors import RefusedError, UnreachableError
from veracruz_utils.public_keys import der_of

NOW = datetime.now(UTC).replace(microsecond=0)
TODAY = {"start": NOW - YEAR, "end": NOW + YEAR}

TABASCO = Path(sys.executable).parent / "tabasco"
PLATFORM = "linux-software-root"


@pytest.fixture
def state(tmp_path):
    return tmp_path / "state"


@pytest.fixture
def run(state):
    """Run `tabasco` with arguments, on `state`."""

    def run(*arguments, stdin=None):
        runner = CliRunner(env={"TABASCO_STATE": str(state)})
        return runner.invoke(main, [str(each) for each in arguments], input=stdin)

    return run


@pytest.fixture
def ran(run):
    """As `run`, but it has to succeed; its standard output, as JSON if that was asked for."""

    def ran(*arguments, **more):
        done = run(*arguments, **more)
        assert (done.exit_code, done.stderr) == (0, "")
        return json.loads(done.stdout) if "--json" in arguments else done.stdout

    return ran


@pytest.fixture
def root():
    return SoftwareRoot()


@pytest.fixture
def root_file(root, tmp_path):
    path = tmp_path / "lab.pem"
    path.write_bytes(pem(root.key))
    return path


@contextmanager
def serving(state, *arguments):
    """A service as a process: the process and its address."""
    command = [TABASCO, "serve", "--listen", "127.0.0.1:0", "--state", state, *arguments]
    process = subprocess.Popen(
        list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        said = []
        for line in process.stderr:
            said.append(line)
            ready = re.fullmatch(r"tabasco: ready on (127\.0\.0\.1:\d+)\n", line)
            if ready:
                break
        else:
            pytest.fail(f"not ready: {said}")
        yield process, ready[1]
    finally:
        process.kill()
        process.communicate()


def call(address, method, request):
    with open_channel(address) as channel:
        answer = unary(
            channel,
            f"/{wire.SERVICE}/{method}",
            encode(request),
            timeout_s=PATIENCE_S,
            peer=f"tabasco at {address}",
        )
    return decode(getattr(wire, type(request).__name__.replace("Request", "Response")), answer)


def enrol(address, attester):
    begun = call(address, "BeginEnrolment", wire.BeginEnrolmentRequest(PLATFORM))
    return call(address, "CompleteEnrolment", attester.enrolment(begun.challenge))


def verify(address, attester):
    challenge = sha256(b"challenge").digest()
    request = wire.VerifyTokenRequest(attester.token(challenge), challenge)
    return challenge, call(address, "VerifyToken", request).attestation_result


def test_init_makes_a_key_once_and_public_key_prints_it(ran, run, state):
    made = ran("init", "--json")
    key = load_pem_public_key(made["public_key"].encode())
    assert made["fingerprint"] == sha256(der_of(key)).hexdigest()
    for command in ("init", "public-key"):
        assert (
            f"fingerprint {made['fingerprint']}: tell it to the principals" in run(command).stderr
        )
    assert made["state"] == str(state)
    assert ran("init", "--json") == made
    assert run("public-key").stdout == made["public_key"]
    assert "PRIVATE" not in json.dumps(made)
    assert stat.S_IMODE((state / "result-key.pem").stat().st_mode) == 0o600


def test_public_key_without_a_key_names_the_remedy(run):
    done = run("public-key")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "make one with tabasco init" in done.stderr


def test_roots_are_added_listed_and_removed(ran, run, root_file):
    added = ran("root", "add", "--name", "lab", root_file, "--json")
    assert added["name"] == "lab"
    assert ran("root", "list", "--json") == {"roots": [added]}
    assert added["instance_id"] in ran("root", "list")
    assert ran("root", "remove", "lab") == "root lab is removed, 0 instances are revoked\n"
    assert ran("root", "list", "--json") == {"roots": []}
    assert "no root is trusted" in ran("root", "list")
    assert run("root", "remove", "lab").exit_code == 1


@pytest.mark.parametrize("form", ["pem", "der"])
def test_a_certificate_is_a_manufacturer_of_tpms(ran, run, tmp_path, form):
    maker = issue("Maker", None, authority(**TODAY))
    file = tmp_path / "maker"
    file.write_bytes(b"a comment\n" + maker.pem if form == "pem" else maker.der)
    added = ran("root", "add", "--name", "maker", file, "--json")
    assert (added["kind"], added["certificate"]) == ("tpm", maker.der.hex())
    assert "maker  tpm  " in ran("root", "list")
    assert "revoked" in ran("root", "remove", "maker")


def test_a_service_trusts_a_manufacturer_that_it_is_given(ran, run, tmp_path, monkeypatch):
    maker = issue("Maker", None, authority(**TODAY))
    (tmp_path / "maker.pem").write_bytes(maker.pem)
    monkeypatch.setattr(GrpcService, "serve_until_signalled", lambda _, ready: ready())
    arguments = ("serve", "--listen", "127.0.0.1:0", "--trust-root", tmp_path / "maker.pem")
    assert run(*arguments).exit_code == 0
    assert "maker  tpm  " in ran("root", "list")
    ran("root", "remove", "maker")
    assert "stays so" in run(*arguments).stderr
    assert "no root is trusted" in ran("root", "list")


def test_a_certificate_may_be_for_nvidias_devices_and_is_that_alone(ran, run, tmp_path):
    maker = issue("NVIDIA Device Identity CA 2", None, authority(**TODAY))
    root = tmp_path / "root.pem"
    root.write_bytes(maker.pem)
    added = ran("root", "add", "--name", "gpus", "--kind", "nvidia", root, "--json")
    assert (added["kind"], added["certificate"]) == ("nvidia", maker.der.hex())
    assert ran("root", "add", "--name", "tpms", root)  # of both, where it is said
    assert {line.split()[1] for line in ran("root", "list").splitlines()} == {"nvidia", "tpm"}
    assert run("root", "add", "--name", "x", "--kind", "software", tmp_path).exit_code == 2


def test_a_certificate_that_cannot_be_a_root_says_why(run, tmp_path):
    maker = issue("Maker", None, authority(**TODAY))
    file = tmp_path / "file"
    for content, complaint in (
        (maker.pem + maker.pem, "has several certificates, a root is one"),
        (issue("chip", maker, Form(**TODAY)).pem, "'chip' is not an authority"),
        (
            issue("old", None, authority(start=NOW - 3 * YEAR, end=NOW - YEAR)).der,
            "'old' was valid until",
        ),
        (maker.der[:-1], "cannot be a root"),
    ):
        file.write_bytes(content)
        done = run("root", "add", "--name", "x", file)
        assert done.exit_code == 1
        assert complaint in done.stderr


def test_a_root_is_read_from_standard_input(ran):
    text = pem(new_key()).decode()
    told = ran("root", "add", "--name", "piped", "-", stdin=text)
    fingerprint = sha256(der_of(load_pem_public_key(text.encode()))).hexdigest()
    assert told.startswith(f"root piped is trusted\nfingerprint {fingerprint}: compare it with")


def test_a_root_file_that_is_missing_huge_or_private_is_an_error_that_names_it(
    run, tmp_path, state
):
    huge = tmp_path / "huge.pem"
    huge.write_bytes(bytes(1 << 20))
    for file, complaint in (
        (tmp_path / "none.pem", "no such file"),
        (huge, "more than 16384 bytes"),
    ):
        done = run("root", "add", "--name", "x", file)
        assert done.exit_code == 1
        assert str(file) in done.stderr
        assert complaint in done.stderr
    assert run("init").exit_code == 0
    done = run("root", "add", "--name", "x", state / "result-key.pem")
    assert "holds a private key: give the public key alone" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("init",),
        ("public-key",),
        ("serve",),
        ("root",),
        ("root", "add"),
        ("root", "list"),
        ("root", "remove"),
        ("instance",),
        ("instance", "list"),
        ("instance", "revoke"),
    ],
    ids=" ".join,
)
def test_every_command_explains_itself(ran, arguments):
    assert ran(*arguments, "--help").startswith(f"Usage: {' '.join(('tabasco', *arguments))} ")


def test_the_installed_program_prints_its_version():
    done = subprocess.run([TABASCO, "--version"], capture_output=True, text=True, check=True)
    assert re.fullmatch(r"tabasco \d+\.\d+\.\d+\n", done.stdout)
    assert done.stderr == ""


def test_wrong_usage_is_told_apart_from_failure(run):
    assert run("serve", "--challenge-validity", "0").exit_code == 2
    assert run("nonsense").exit_code == 2


@pytest.mark.parametrize("command", [("instance", "list"), ("root", "list")])
def test_a_register_that_is_not_there_is_not_made_by_looking(run, state, command):
    done = run(*command)
    assert done.exit_code == 1
    assert "start tabasco serve, or add a root" in done.stderr
    assert not state.exists()


def test_an_instance_id_that_is_none_is_refused(run, ran, root_file):
    ran("root", "add", "--name", "lab", root_file)
    for text in ("xyz", "00" * 32, "é"):
        assert "is not an instance id" in run("instance", "revoke", text).stderr
    assert "there is no instance 0000" in run("instance", "revoke", "00" * 33).stderr


def test_the_service_enrols_answers_and_ends_cleanly_on_sigterm(state, root, root_file, ran):
    with serving(state, "--trust-root", root_file) as (process, address):
        with open_channel(address) as channel:
            assert is_serving(channel, service=wire.SERVICE)
        attester = RootAttester(root)
        enrol(address, attester)
        challenge, result = verify(address, attester)
        key = load_pem_public_key(ran("public-key", "--json")["public_key"].encode())
        (listed,) = ran("instance", "list", "--json")["instances"]
        assert (listed["state"], listed["root"]) == ("live", "lab")
        assert listed["instance_id"] == attester.instance_id.hex()
        assert f"{listed['instance_id']}  live  {PLATFORM}, root lab" in ran("instance", "list")
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, output) == (0, "")
    assert "instance enrolled: " + attester.instance_id.hex() in errors
    assert "Traceback" not in errors
    at = int(datetime.fromisoformat(listed["enrolled_at"]).timestamp())
    assert verify_ear(result, key=key, nonce=challenge, at=at, leeway_s=60).raw_evidence


def test_a_revocation_by_hand_counts_for_the_running_service(state, root, root_file, ran):
    with serving(state, "--trust-root", root_file) as (_, address):
        attester = RootAttester(root)
        enrol(address, attester)
        verify(address, attester)
        revoked = ran("instance", "revoke", attester.instance_id.hex(), "--json")
        assert revoked["state"] == "revoked"
        with pytest.raises(RefusedError, match="instance-revoked"):
            verify(address, attester)


def test_what_was_acknowledged_survives_a_kill(state, root, root_file, ran):
    attester = RootAttester(root)
    with serving(state, "--trust-root", root_file) as (process, address):
        enrol(address, attester)
        process.kill()
        process.wait()
        with pytest.raises(UnreachableError, match="tabasco serve"):
            verify(address, attester)
    (listed,) = ran("instance", "list", "--json")["instances"]
    assert (listed["instance_id"], listed["state"]) == (attester.instance_id.hex(), "live")
    with serving(state) as (_, address):
        verify(address, attester)
        enrol(address, RootAttester(root))


def test_the_key_of_results_is_the_same_after_a_restart(state, root_file):
    keys = []
    for _ in range(2):
        with serving(state, "--trust-root", root_file) as (_, address):
            keys.append(call(address, "Describe", wire.DescribeServiceRequest()).public_key)
    assert keys[0] == keys[1]


def test_with_json_the_address_is_on_standard_output(state, root_file):
    with serving(state, "--trust-root", root_file, "--json") as (process, address):
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=PATIENCE_S)
    assert json.loads(output) == {"address": address}
    assert process.returncode == 0


def test_a_service_that_nobody_can_enrol_with_says_so(state):
    command = [TABASCO, "serve", "--listen", "127.0.0.1:0", "--state", state]
    process = subprocess.Popen(
        list(map(str, command)), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    try:
        assert "no root is trusted, so nobody can enrol" in process.stderr.readline()
    finally:
        process.terminate()
        process.communicate()


def test_an_address_in_use_is_an_error_that_names_it(run):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = run("serve", "--listen", address)
    assert done.exit_code == 1
    assert f"cannot listen on {address}" in done.stderr


def test_a_key_that_others_can_read_keeps_the_service_from_starting(run, state):
    run("init")
    (state / "result-key.pem").chmod(0o644)
    done = run("serve", "--listen", "127.0.0.1:0")
    assert done.exit_code == 1
    assert "chmod 600" in done.stderr
