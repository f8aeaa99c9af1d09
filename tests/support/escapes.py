"""What code in a process of an isolate can reach: each attempt of a list, without and with walls.

Run by itself, in namespaces that are thrown away afterwards (`escape_table`), it prints a JSON
object: for each attempt what became of it in each kind of process. An attempt that fails without
any wall proves nothing about those that have one: that is the column `none`.
"""

import argparse
import errno
import fcntl
import json
import os
import pty
import resource
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sonora.image.local import local_image
from support.injection import Injection, KilledError, readable_address
from support.processes import eventually, guest_of, keeper_of, waits_in

NOBODY: Final = 65534
KEPT_FILE: Final = 77
KEPT_TERMINAL: Final = 78
ALONE: Final = ("namespaces", "capabilities", "landlock", "seccomp")
ISOLATE: Final = ("front", "keeper", "guest", "guest, compiled")
OPEN: Final = "open"
"""What an attempt says that got through."""

_TESTS: Final = Path(__file__).parent.parent
_OWN: Final = next(each for each in ("/mnt", "/media") if not str(_TESTS).startswith(f"{each}/"))
"""Where an empty file system is in here; not over /tmp, where a checkout may lie."""
_AT_FDCWD: Final = -100
_ABSTRACT: Final = b"\0veracruz-escapes"
_FOR_OTHERS: Final = {45, 232}
"""recvfrom and epoll_wait: what a process of an isolate is in once it has started."""

# A wall by itself, around a process that does nothing; it prints its id.
_STAND_IN: Final = """
import os, sys, time
sys.path[:0] = sys.argv[2:]
from mexico_city.sandbox import landlock, namespaces, privileges, seccomp
def capabilities():
    privileges.drop_capabilities()
def landlock_alone():
    privileges.gain_none()
    landlock.enter()
def seccomp_alone():
    privileges.gain_none()
    seccomp.confine_front()
walls = {"capabilities": capabilities, "landlock": landlock_alone, "seccomp": seccomp_alone}
if sys.argv[1] == "namespaces":
    ready, told = os.pipe()
    process_id = namespaces.fork_apart(os.pidfd_open(os.getpid()))
    if process_id == 0:
        namespaces.enter()
        os.write(told, b".")
        time.sleep(10**6)
    os.read(ready, 1)
    print(process_id, flush=True)
    time.sleep(10**6)
wall = walls[sys.argv[1]]
wall()
os.write(1, f"{os.getpid()}\\n".encode())
time.sleep(10**6)
"""

# Isolates by the production's launcher: for each line it is told whether its program is to be
# compiled, and prints the process id of its front.
_KEEPER: Final = """
import sys
from pathlib import Path
sys.path[:0] = sys.argv[2:]
from sonora.image.source import RuntimeImage
from support.isolate_rig import RigMaker
from support.runtime_guests import HELLO
from veracruz_image import read_manifest
from veracruz_utils.policy import Role
folder = Path(sys.argv[1])
maker = RigMaker(RuntimeImage(folder, read_manifest(folder)))
for line in sys.stdin:
    roles = [[Role.PI_PROVIDER, Role.RESULT_READER]]
    with maker.computation(roles, program=HELLO) as rig:
        if line == "compiled\\n":
            with rig.session(0) as author:
                author.program(HELLO)
                author.result()
        print(rig.isolate.process_id, " ".join(sorted(rig.isolate.layers)), flush=True)
        sys.stdin.readline()
maker.close()
"""


@dataclass(frozen=True, slots=True)
class World:
    """What there is to escape to.

    Attributes:
        victim: a process of the same user.
        address: where it has memory that can be read.
        port: where it could be connected to on the loopback.
    """

    victim: int
    address: int
    port: int


Attempt = Callable[[Injection, World], int]


def _open(path: str, flags: int = 0) -> Attempt:
    return lambda code, world: code.call(
        257, _AT_FDCWD, path.format(victim=world.victim).encode() + b"\0", flags, 0o600
    )


def _connect(family: int, address: Callable[[World], bytes]) -> Attempt:
    def attempt(code: Injection, world: World) -> int:
        channel = code.call(41, family, socket.SOCK_STREAM, 0)
        where = address(world)
        return channel if channel < 0 else code.call(42, channel, where, len(where))

    return attempt


def _descriptor_of_another(code: Injection, world: World) -> int:
    process = code.call(434, world.victim, 0)
    return process if process < 0 else code.call(438, process, 0, 0)


def _read_memory(of: Callable[[World], int], at: Callable[[World], int]) -> Attempt:
    def attempt(code: Injection, world: World) -> int:
        local = struct.pack("QQ", code.put(bytes(16)), 16)
        return code.call(310, of(world), local, 1, struct.pack("QQ", at(world), 16), 1, 0)

    return attempt


def _plain(number: int, *arguments: int | bytes) -> Attempt:
    return lambda code, _: code.call(number, *arguments)


_WRITE: Final = os.O_WRONLY | os.O_CREAT
# struct perf_event_attr: a clock in software, of this process, outside the kernel.
_CLOCK_EVENT: Final = struct.pack("IIQQQQQ", 1, 128, 0, 0, 0, 0, 0x60).ljust(128, b"\0")
_MAP: Final = struct.pack("IIII", 2, 4, 4, 1).ljust(128, b"\0")  # BPF_MAP_CREATE: an array
# One that an isolate has at 0 and this process does not: to set 0 anew would raise nothing.
_LIMIT: Final = next(
    each
    for each in (resource.RLIMIT_CORE, resource.RLIMIT_MSGQUEUE, resource.RLIMIT_MEMLOCK)
    if resource.getrlimit(each)[1] != 0
)
_RAISED: Final = struct.pack("QQ", *[resource.getrlimit(_LIMIT)[1] % 2**64] * 2)

ATTEMPTS: Final[dict[str, Attempt]] = {
    "read a file": _open("/etc/passwd"),
    "create a file": _open(f"{_OWN}/escaped", _WRITE),
    "create shared memory by name": _open("/dev/shm/escaped", _WRITE),
    "look at a path": _plain(262, _AT_FDCWD, b"/etc\0", bytes(256), 0),
    "read a process's environment": _open("/proc/{victim}/environ"),
    "internet socket": _plain(41, socket.AF_INET, socket.SOCK_STREAM, 0),
    "netlink socket": _plain(41, socket.AF_NETLINK, socket.SOCK_RAW, 0),
    "connect over TCP": _connect(
        socket.AF_INET,
        lambda world: (
            struct.pack("=H", socket.AF_INET) + struct.pack("!H4B8x", world.port, 127, 0, 0, 1)
        ),
    ),
    "connect to an abstract socket": _connect(
        socket.AF_UNIX, lambda _: struct.pack("H", socket.AF_UNIX) + _ABSTRACT
    ),
    "fork": _plain(56, signal.SIGCHLD),
    "execute": _plain(59, b"/bin/true\0", struct.pack("QQ", 0, 0), struct.pack("Q", 0)),
    "trace a process": lambda code, world: code.call(101, 0x4206, world.victim, 0, 0),
    "read a process's memory": _read_memory(
        lambda world: world.victim, lambda world: world.address
    ),
    "signal a process": lambda code, world: code.call(62, world.victim, signal.SIGCONT),
    "signal a thread": lambda code, world: code.call(
        234, world.victim, world.victim, signal.SIGCONT
    ),
    "pidfd of a process": lambda code, world: code.call(434, world.victim, 0),
    "take a process's descriptor": _descriptor_of_another,
    "new user namespace": _plain(272, 0x10000000),
    "mount": _plain(165, b"none\0", b"/srv\0", b"tmpfs\0", 0, 0),
    "change root": _plain(161, b"/\0"),
    "host name": _plain(170, b"escaped", 7),
    "become another user": _plain(105, 0),
    "io_uring": _plain(425, 1, bytes(120)),
    "userfaultfd": _plain(323, 1),
    "performance event": _plain(298, _CLOCK_EVENT, 0, -1, -1, 0),
    "bpf": _plain(321, 0, _MAP, 128),
    "kernel log": _plain(103, 10, 0, 0),
    "keyring": _plain(250, 0, -3, 1),
    "add a key": _plain(248, b"user\0", b"escaped\0", b"x", 1, -2),
    "shared memory of System V": _plain(29, 0, 4096, 0o1600),
    "semaphores": _plain(64, 0, 1, 0o1600),
    "message queue": _plain(68, 0, 0o1600),
    "personality": _plain(135, 0x40000),
    "become dumpable": _plain(157, 4, 1, 0, 0, 0),
    "raise a limit": _plain(302, 0, int(_LIMIT), _RAISED, 0),
    "type into a terminal": _plain(16, KEPT_TERMINAL, 0x5412, b"x"),
    "write to a file of Sonora's": _plain(1, KEPT_FILE, b"x", 1),
    "executable file in memory": _plain(319, b"escaped\0", 0x10),
    "memory that is executable": _plain(9, 0, 4096, 7, 0x22, -1, 0),
    "memory that no limit counts": _plain(9, 0, 4096, 3, 0x21, -1, 0),
    "memory that grows by itself": _plain(9, 0, 4096, 3, 0x122, -1, 0),
    "make a mapping larger": lambda code, _: code.call(
        25, code.call(9, 0, 4096, 3, 0x22, -1, 0), 4096, 8192, 1
    ),
    "make memory executable": lambda code, _: code.call(10, code.put(b"") & -4096, 4096, 5),
    "another list of system calls": _plain(317, 0, 0, 0),
    "call of x32": _plain(0x40000000 | 39),
    "call of i386": lambda code, _: code.call_32(20),
}
# Of the others, to the front: process 1 to it. Without walls, to a process of the same user.
FRONT_ATTEMPTS: Final[dict[str, Attempt]] = {
    "signal the front": lambda code, world: code.call(62, world.victim, 0),
    "trace the front": ATTEMPTS["trace a process"],
    "read the front's memory": ATTEMPTS["read a process's memory"],
    "pidfd of the front": ATTEMPTS["pidfd of a process"],
    "kill the front by a thread": lambda code, world: code.call(
        234, world.victim, world.victim, signal.SIGKILL
    ),
}
# Whoever succeeded with one of these is not what it was, and the next attempt needs another.
CHANGING: Final = {
    "fork", "trace a process", "trace the front", "new user namespace", "change root",
    "become another user", "personality", "become dumpable", "another list of system calls",
}  # fmt: skip


class Column:
    """A kind of process; a new one is made whenever an attempt ended the last."""

    def __init__(self, make: Callable[[], int]) -> None:
        self._make = make
        self._code: Injection | None = None

    def outcome(self, row: str, attempt: Attempt, world: World) -> str:
        if self._code is None:
            self._code = Injection(self._make())
        try:
            result = attempt(self._code, world)
        except KilledError as killed:
            self.close()
            return "killed" if str(killed) == "SIGSYS" else f"ended by {killed}"
        if self._code.replaced or (result >= 0 and row in CHANGING):
            self.close()
        return OPEN if result >= 0 else errno.errorcode[-result]

    def close(self) -> None:
        if self._code is not None:
            self._code.close()
            self._code = None


class Surroundings:
    """The processes outside: victims, stand-ins and the keeper of isolates, all of one user."""

    def __init__(self, user: int, image: Path) -> None:
        self._user = user
        self._image = image
        self._started: list[subprocess.Popen[str]] = []
        self._keeper: subprocess.Popen[str] | None = None
        self.layers: list[str] = []
        self._kept = Path(tempfile.mkdtemp(dir=_OWN)) / "file"
        self._terminal, terminal = pty.openpty()
        file = os.open(self._kept, _WRITE)
        os.dup2(file, KEPT_FILE)
        os.dup2(terminal, KEPT_TERMINAL)

    def sleeper(self) -> int:
        """A process without any wall."""
        return self._start(["/bin/sleep", "1000000"]).pid

    def stand_in(self, wall: str) -> int:
        """A process with this wall alone."""
        process = self._start([sys.executable, "-c", _STAND_IN, wall, *_paths()])
        assert process.stdout is not None
        return int(process.stdout.readline())

    def isolate(self, kind: str) -> int:
        """A process of a new isolate; the last one is no more."""
        if self._keeper is None:
            self._keeper = self._start([sys.executable, "-c", _KEEPER, str(self._image), *_paths()])
        elif self.layers:
            self._say("\n")
        self._say("compiled\n" if kind == "guest, compiled" else "new\n")
        assert self._keeper.stdout is not None
        front, *self.layers = self._keeper.stdout.readline().split()
        of_kind = {"front": int, "keeper": keeper_of}.get(kind, guest_of)
        process_id = of_kind(int(front))
        # A guest bounds itself while its front serves already, and has no memory as it does.
        assert eventually(lambda: waits_in(process_id) in _FOR_OTHERS), waits_in(process_id)
        return process_id

    def close(self) -> None:
        for each in self._started:
            each.kill()
            each.wait()

    def _say(self, line: str) -> None:
        assert self._keeper is not None
        assert self._keeper.stdin is not None
        self._keeper.stdin.write(line)
        self._keeper.stdin.flush()

    def _start(self, command: list[str]) -> "subprocess.Popen[str]":
        other = {"user": self._user, "group": self._user, "extra_groups": []} if self._user else {}
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            pass_fds=[KEPT_FILE, KEPT_TERMINAL],
            **other,
            cwd="/",
            env={"PATH": "/usr/bin:/bin", "HOME": _OWN, "SECRET": "environment"},
        )
        self._started.append(process)
        return process


def _paths() -> list[str]:
    return [str(_TESTS), *[path for path in sys.path if path]]


@contextmanager
def _listening() -> Iterator[int]:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.socket(socket.AF_UNIX) as abstract,
    ):
        abstract.bind(_ABSTRACT)
        abstract.listen()
        yield server.getsockname()[1]


def _raise_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sH14x", b"lo", 0x41))


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


def _let_everybody_read(folder: Path) -> None:
    """Make what is below an interpreter's closed home readable, in these namespaces alone."""
    closed = [each for each in folder.parents if not each.stat().st_mode & 1]
    if not closed:
        return
    source = os.open(folder, os.O_PATH)
    _mount("-t", "tmpfs", "-o", "mode=755", "none", str(closed[-1]))
    folder.mkdir(parents=True)
    # Not by its path, which by now is that of the empty folder.
    _mount("--no-canonicalize", "--bind", f"/proc/{os.getpid()}/fd/{source}", str(folder))


def tried(user: int) -> dict[str, dict[str, str]]:
    """Every attempt in every kind of process of this user."""
    image = local_image().folder
    # Over those of the machine: what is written here must not stay.
    for folder in (_OWN, "/dev/shm"):
        _mount("-t", "tmpfs", "-o", "mode=1777", "none", folder)
    copy = Path(_OWN) / "image"
    shutil.copytree(image, copy, symlinks=True)
    if user:
        _let_everybody_read(Path(sys.base_prefix))
        for each in (copy, *copy.rglob("*")):
            os.chown(each, user, user, follow_symlinks=False)
    _raise_loopback()
    around = Surroundings(user, copy)
    columns = {"none": Column(around.sleeper)}
    if not user:
        columns |= {wall: Column(lambda wall=wall: around.stand_in(wall)) for wall in ALONE}
    columns |= {kind: Column(lambda kind=kind: around.isolate(kind)) for kind in ISOLATE}
    table: dict[str, dict[str, str]] = {}
    with _listening() as port:
        # Isolates one after the other: the keeper has one at a time.
        for name, column in columns.items():
            victim = around.sleeper()
            world = World(victim, readable_address(victim), port)
            for row, attempt in ATTEMPTS.items():
                table.setdefault(row, {})[name] = column.outcome(row, attempt, world)
            if name == "none" or name in ISOLATE[1:]:
                front = world if name == "none" else World(1, world.address, port)
                for row, attempt in FRONT_ATTEMPTS.items():
                    table.setdefault(row, {})[name] = column.outcome(row, attempt, front)
            column.close()
    around.close()
    table["layers"] = dict.fromkeys(around.layers, "in force")
    return table


def escape_table(user: int = 0) -> dict[str, dict[str, str]]:
    """Run this module in namespaces of its own; what it tells."""
    mine = [] if os.getuid() == 0 else ["--user", "--map-root-user"]
    apart = ["--mount", "--mount-proc", "--ipc", "--pid", "--net", "--uts", "--fork"]
    shell = '"$@"; exit $?'  # so that nothing here is process 1, which isolates are to themselves
    done = subprocess.run(
        [
            "unshare", *mine, *apart, "--kill-child", "--propagation", "private",
            "sh", "-c", shell, "sh",
            sys.executable, "-m", "support.escapes", "--json", "--user", str(user),
        ],
        env={**os.environ, "PYTHONPATH": str(_TESTS)},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    found: dict[str, dict[str, str]] = json.loads(done.stdout)
    return found


def shown(table: dict[str, dict[str, str]]) -> str:
    """The table for people."""
    rows = {row: outcomes for row, outcomes in table.items() if row != "layers"}
    names = list(dict.fromkeys(name for outcomes in rows.values() for name in outcomes))
    lines = [f"| attempt | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for row, outcomes in rows.items():
        lines.append(f"| {row} | {' | '.join(outcomes.get(name, '') for name in names)} |")
    return "\n".join([*lines, "", f"layers: {', '.join(table['layers'])}", ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--user", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="here and now: only in namespaces")
    given = parser.parse_args()
    if given.json:
        with suppress(BrokenPipeError):
            sys.stdout.write(json.dumps(tried(given.user)))
    else:
        sys.stdout.write(shown(escape_table(given.user)))


if __name__ == "__main__":
    main()
