"""Command lines of ours without their start-up: a process that has them loaded forks for each.

Pages with many commands are run as a reader's shell would run them, only that the interpreter does
not start and import anew for each. The programs are the entry points that are installed, with their
own arguments, environment, folder and standard streams; what they do to their process, they do to a
process of their own. A program is loaded when it is first asked for; and what a command then loaded
besides is there for those that come after it.
"""

import atexit
import contextlib
import functools
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

_SCRIPTS = Path(sysconfig.get_path("scripts"))
_QUICK = ("durango", "freestanding-execution-engine", "tabasco", "tlaxcala", "veracruz-sdk")
_MOST_BYTES = 1024 * 1024

_CLIENT = """#!{python} -IS
import json, os, socket, sys
server = socket.socket(socket.AF_UNIX)
server.connect({address!r})
request = json.dumps([{name!r}, sys.argv, os.getcwd(), dict(os.environ)]).encode()
socket.send_fds(server, [len(request).to_bytes(4, "big")], [0, 1, 2])
server.sendall(request)
status = server.recv(1)
sys.exit(status[0] if status else "the command server is gone")
"""


@contextlib.contextmanager
def commands(names: Sequence[str], folder: Path, *, within: Sequence[str] = ()) -> Iterator[Path]:
    """A folder for PATH, in which each command does what the installed one of that name does.

    `within` is a command line that runs another in some surroundings, and becomes it; the process
    is in the file `pid` of the folder.
    """
    address = str(folder / "server")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen(64)
        server = subprocess.Popen(
            [*within, sys.executable, __file__, str(listener.fileno()), *names],
            pass_fds=[listener.fileno()],
            start_new_session=True,
        )
    (folder / "pid").write_text(str(server.pid))
    for name in names:
        client = folder / name
        client.write_text(_CLIENT.format(python=sys.executable, address=address, name=name))
        client.chmod(0o755)
    try:
        yield folder
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


@functools.cache
def _shared() -> Path:
    """The commands of one server, for all tests of this process."""
    until_exit = contextlib.ExitStack()
    atexit.register(until_exit.close)
    folder = until_exit.enter_context(tempfile.TemporaryDirectory(prefix="commands-"))
    return until_exit.enter_context(commands(_QUICK, Path(folder)))


def script(program: str) -> Path:
    """A command of ours; one that needs no start-up of its own where it has none to test."""
    return (_shared() if program in _QUICK else _SCRIPTS) / program


def path() -> str:
    """A PATH with all our commands, those that `script` knows as quick ones. Services are not."""
    return os.pathsep.join([str(_shared()), str(_SCRIPTS), os.environ["PATH"]])


def _serve(listener: socket.socket, programs: dict[str, EntryPoint]) -> None:
    told, telling = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    while True:
        channel, _ = listener.accept()
        with channel:
            name, *request, streams = _request(channel)
            program = programs[name].load()
            _load(told)
            if os.fork() == 0:
                listener.close()
                _answer(channel, program, request, streams, telling)
            for stream in streams:
                os.close(stream)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _request(channel: socket.socket) -> list:
    """A program's name, its arguments, folder and environment, and its standard streams."""
    head, streams, _, _ = socket.recv_fds(channel, 4, 3)
    with channel.makefile("rb") as file:
        return [*json.loads(file.read(int.from_bytes(head, "big"))), streams]


def _load(told: socket.socket) -> None:
    """Load what commands have told that they loaded."""
    with contextlib.suppress(BlockingIOError):
        while names := told.recv(_MOST_BYTES, socket.MSG_DONTWAIT):
            for name in names.decode().split():
                with contextlib.suppress(ImportError):
                    import_module(name)
    # What is shared stays so: a collector would write to all of it.
    gc.collect()
    gc.freeze()


def _answer(
    channel: socket.socket,
    program: Callable[[], object],
    request: tuple[list[str], str, dict[str, str]],
    streams: list[int],
    telling: socket.socket,
) -> None:
    """Become the command that is asked for, and tell its status."""
    arguments, folder, environment = request
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    # The one from before remembers whether it could seek.
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - as long as the process
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = arguments
    before = set(sys.modules)
    status = _status_of(program)
    with contextlib.suppress(OSError):
        telling.send(" ".join(sys.modules.keys() - before).encode(), socket.MSG_DONTWAIT)
    channel.sendall(bytes([status]))
    os._exit(status)


def _status_of(program: Callable[[], object]) -> int:
    try:
        program()
    except SystemExit as ending:
        if isinstance(ending.code, str):
            sys.stderr.write(f"{ending.code}\n")
        status = ending.code if isinstance(ending.code, int) else int(ending.code is not None)
    except BaseException:  # noqa: BLE001 - what the interpreter would print at its end
        traceback.print_exc()
        status = 1
    else:
        status = 0
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    return status


if __name__ == "__main__":
    _installed = {each.name: each for each in entry_points(group="console_scripts")}
    with socket.socket(fileno=int(sys.argv[1])) as _listener:
        _serve(_listener, {name: _installed[name] for name in sys.argv[2:]})
