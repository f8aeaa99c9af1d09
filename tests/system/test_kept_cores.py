"""Programs in Python after a restart of Sonora: their core is compiled before anybody asks."""

import shutil
import subprocess

import pytest

from durango import ProgramFailedError
from sdk.toolchains.python_core import joined
from support.cores import CORE
from support.processes import eventually
from support.stack import PI, RESULT
from veracruz import Service
from veracruz_utils.digest import Digest

PREPARED = f"code of core {Digest.of(CORE)} prepared:"
KEPT = f"core {Digest.of(CORE)} kept for the next start"
COMPILED = "compiled code kept"
"""Said of what an isolate compiled itself."""


class Within(Service):
    """A service that other commands start, such as one in namespaces of its own."""

    def __init__(self, within, arguments) -> None:
        super().__init__("sonora", arguments)
        self._command = [*map(str, within), *self._command]


@pytest.fixture
def state(stack, tmp_path):
    """A state folder of the test's own, with the root that Tabasco knows."""
    return shutil.copytree(stack.folder / "sonora", tmp_path / "state")


@pytest.fixture
def start(stack, state, tmp_path):
    """Starts a Sonora on that folder; once more, when it was stopped."""
    started = []

    def starting(*options, within=()):
        words = ["serve", "--state", state, "--socket", tmp_path / "sonora.sock"]
        words += ["--tabasco", stack.tabasco_address, "--image", stack.image.folder, *options]
        service = Within(within, [str(word) for word in words])
        service.start()
        started.append(service)
        service.wait_ready()
        service.address = str(tmp_path / "sonora.sock")
        return service

    yield starting
    for service in started:
        service.stop()


def compute(stack, sonora, part: bytes) -> None:
    """A whole computation of a program on the core, which returns the size of the part."""
    roles = [[PI, RESULT]]
    with stack.computation(*roles, program=joined(CORE, part), sonora=sonora) as computation:
        computation.send_program()
        with pytest.raises(ProgramFailedError) as failed:
            computation.result(0)
        assert failed.value.return_code == len(part)


def test_a_core_is_compiled_after_a_restart_before_anything_is_launched(stack, start, state):
    first = start()
    compute(stack, first, b"one")
    assert eventually(lambda: KEPT in first.last_words)
    assert COMPILED in first.last_words
    assert first.stop() == 0
    assert (state / "cores" / f"{Digest.of(CORE)}.core").read_bytes() == CORE
    assert not [path for path in state.rglob("*") if b"code" in path.suffix.encode()]

    second = start()
    assert eventually(lambda: PREPARED in second.last_words)
    compute(stack, second, b"another")
    assert COMPILED not in second.last_words
    assert second.stop() == 0


def test_a_kept_core_that_was_changed_is_removed_and_its_program_runs_as_a_new_one(
    stack, start, state
):
    (state / "cores").mkdir(mode=0o700)
    path = state / "cores" / f"{Digest.of(CORE)}.core"
    path.write_bytes(CORE[:-1] + bytes([CORE[-1] ^ 1]))
    path.chmod(0o600)
    sonora = start()
    assert eventually(lambda: "is not used, and removed: its digest is" in sonora.last_words)
    assert not path.exists()
    assert "prepared" not in sonora.last_words
    compute(stack, sonora, b"one")
    assert eventually(lambda: KEPT in sonora.last_words)


def test_a_setting_keeps_no_core_and_removes_those_that_are_there(stack, start, state):
    first = start()
    compute(stack, first, b"one")
    assert eventually(lambda: KEPT in first.last_words)
    first.stop()
    second = start("--kept-cores", "0")
    assert eventually(lambda: list((state / "cores").iterdir()) == [])
    compute(stack, second, b"another")
    assert eventually(lambda: PREPARED in second.last_words)
    assert second.stop() == 0
    assert list((state / "cores").iterdir()) == []


def test_on_a_full_disk_programs_run_and_that_nothing_is_kept_is_said_once(stack, start, state):
    mount = 'mount -t tmpfs -o size=1m none "$0" && cp "$1"/*.pem "$0" && shift && exec "$@"'
    away = state.rename(state.with_name("files"))
    state.mkdir()
    within = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, state, away]
    tried = subprocess.run([*within, "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"no mount in a user namespace of one's own here: {tried.stderr.strip()}")
    sonora = start(within=within)
    for part in (b"one", b"another"):
        compute(stack, sonora, part)
    assert eventually(lambda: "not kept over a restart: the disk of" in sonora.last_words)
    assert sonora.last_words.count("not kept over a restart") == 1
    assert PREPARED in sonora.last_words
