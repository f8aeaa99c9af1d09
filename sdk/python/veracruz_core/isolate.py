"""What Python would ask a system for, answered where there is none.

No file, network, environment or terminal is in an isolate, and a call that reaches for one ends the
run. So they are errors of Python's own here, which a program can catch and an author can read.
"""

import _io
import asyncio
import builtins
import errno
import io
import os
import posix
import random
import sys
import tokenize

import libveracruz

from veracruz_core import clocks, locks

BUILT_IN = tuple(each for each in sys.meta_path if getattr(each, "__name__", "") != "PathFinder")
_HARMLESS = frozenset(
    [
        "WCOREDUMP",
        "WEXITSTATUS",
        "WIFCONTINUED",
        "WIFEXITED",
        "WIFSIGNALED",
        "WIFSTOPPED",
        "WSTOPSIG",
        "WTERMSIG",
        "cpu_count",
        "fspath",
        "get_exec_path",
        "getpid",
        "major",
        "makedev",
        "minor",
        "register_at_fork",
        "strerror",
        "urandom",
        "_path_normpath",
        "_path_splitroot_ex",
        "_path_splitroot",
        "_inputhook",
        "_is_inputhook_installed",
        "_supports_virtual_terminal",
        "process_cpu_count",
    ]
)


class _Said(io.TextIOBase):
    """What is printed: line by line to the author, who reads the end of it under `debug`."""

    MOST = 64 * 1024
    encoding = "utf-8"
    errors = "replace"

    def __init__(self):
        self._line, self._left = "", self.MOST

    def writable(self):
        return True

    def write(self, text):
        self._line += text
        if "\n" in text:
            self.flush()
        return len(text)

    def flush(self):
        data = self._line.encode("utf-8", "replace")
        self._line = ""
        if 0 < len(data) <= self._left:
            self._left -= len(data)
            libveracruz.say(data)


said = _Said()
_random_seed = random.Random.seed


def enter():
    """Make the interpreter the isolate's, at the begin of a run."""
    clocks.restart()
    os.urandom = posix.urandom = random._urandom = libveracruz.random_bytes
    random.Random.seed = _seed
    random.seed = random._inst.seed
    random.seed()
    sys.stdout = sys.stderr = sys.__stdout__ = sys.__stderr__ = said
    sys.stdin = sys.__stdin__ = io.StringIO()
    sys.path[:] = []
    sys.path_hooks[:] = []
    sys.path_importer_cache.clear()
    sys.argv = ["main.py"]
    _refuse_files()
    _refuse_network()
    _install_loop()
    locks.install()
    sys.addaudithook(_look)


def _seed(self, a=None, version=2):
    if a is None:
        a = int.from_bytes(libveracruz.random_bytes(32))
    _random_seed(self, a, version)


def _look(event, _arguments):
    # Python's own parser looks for the line of an error in a file, by this event alone.
    if event == "open":
        raise FileNotFoundError(errno.ENOENT, "there are no files in an isolate")


def _refusal(what):
    def refused(*_arguments, **_more):
        raise OSError(errno.ENOSYS, f"{what}: there is no system in an isolate")

    return refused


def _no_file(file, *_arguments, **_more):
    raise FileNotFoundError(
        errno.ENOENT, "there are no files in an isolate, inputs come by libveracruz", file
    )


class _FileIO(_io.FileIO):
    def __init__(self, file, *_arguments, **_more):
        _no_file(file)


def _refuse_files():
    for name in dir(posix):
        value = getattr(posix, name)
        if callable(value) and not isinstance(value, type) and name not in _HARMLESS:
            refused = _refusal(name)
            setattr(posix, name, refused)
            if hasattr(os, name):
                setattr(os, name, refused)
    os.getcwd = posix.getcwd = lambda: "/"
    os.getcwdb = posix.getcwdb = lambda: b"/"
    for name in ("open", "stat", "lstat", "listdir", "scandir", "access"):
        setattr(posix, name, _no_file)
        setattr(os, name, _no_file)
    os.access = posix.access = lambda *_arguments, **_more: False
    os._exit = posix._exit = sys.exit
    for module, name in (
        (builtins, "open"), (io, "open"), (_io, "open"), (io, "open_code"), (_io, "open_code"),
        (tokenize, "_builtin_open"),
    ):  # fmt: skip
        setattr(module, name, _no_file)
    io.FileIO = _io.FileIO = _FileIO


def _refuse_network():
    try:
        import _socket
    except ImportError:
        return
    refused = _refusal("the network")
    for name in ("getaddrinfo", "gethostbyname", "gethostname", "socketpair", "getnameinfo"):
        if hasattr(_socket, name):
            setattr(_socket, name, refused)
    if "socket" in sys.modules:
        sys.modules["socket"].socket.__init__ = refused
        sys.modules["socket"].socketpair = refused
        sys.modules["socket"].getaddrinfo = refused


class _Waiting:
    """In the place of a selector: there is nothing to wait for but time."""

    def select(self, timeout=None):
        if timeout is None:
            raise RuntimeError("the event loop waits for something that never happens")
        clocks.sleep(max(0, timeout))
        return []

    def close(self):
        pass


class Loop(asyncio.BaseEventLoop):
    """An event loop of tasks and time."""

    def __init__(self):
        super().__init__()
        self._selector = _Waiting()

    def _process_events(self, events):
        pass

    def _write_to_self(self):
        pass

    def close(self):
        super().close()


def _install_loop():
    from asyncio import events, unix_events

    asyncio.SelectorEventLoop = asyncio.EventLoop = Loop
    unix_events.SelectorEventLoop = unix_events._UnixSelectorEventLoop = Loop
    unix_events._UnixDefaultEventLoopPolicy._loop_factory = Loop
    events._event_loop_policy = None
