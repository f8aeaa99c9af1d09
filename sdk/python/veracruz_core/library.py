"""Python's library, for modules that are imported while a program runs.

An isolate has no folder to import from. So all of the library that is written in Python lies in
the core, compiled and compressed, but for what has no use here.
"""

import importlib.machinery
import marshal
import os
import sys
import zlib

ROOT = "/python"
_WITHOUT = frozenset(
    [
        "ensurepip",
        "idlelib",
        "lib2to3",
        "pydoc_data",
        "pip",
        "setuptools",
        "site-packages",
        "test",
        "tests",
        "tkinter",
        "turtledemo",
        "venv",
        "__pycache__",
        "__phello__",
        "curses",
        "dbm",
        "sqlite3",
        "multiprocessing",
        "_pyrepl",
        "ctypes",
        "xmlrpc",
        "wsgiref",
    ]
)
_WITHOUT_MODULES = frozenset(
    [
        "turtle.py",
        "pydoc.py",
        "doctest.py",
        "antigravity.py",
        "this.py",
        "webbrowser.py",
        "_ios_support.py",
        "_android_support.py",
        "ftplib.py",
        "imaplib.py",
        "poplib.py",
        "smtplib.py",
        "nntplib.py",
        "telnetlib.py",
        "socketserver.py",
        "cProfile.py",
        "profile.py",
        "pstats.py",
        "pdb.py",
        "bdb.py",
        "code.py",
        "codeop.py",
        "mailbox.py",
        "_pyio.py",
        "_pydecimal.py",
        "_pydatetime.py",
        "pickletools.py",
        "optparse.py",
        "ssl.py",
        "sysconfig.py",
        "site.py",
        "plistlib.py",
    ]
)
# Written in C, and in the interpreter; their code is not, or they would start another interpreter.
_BUILT_IN_WITHOUT = frozenset(["_sqlite3", "_interpreters", "_interpchannels", "_interpqueues"])
_modules = {}


def collect():
    """Take the library from the folder that is there while the core is built.

    Before the core imports what it is to have at once: that fills the holes which compiling left.
    """
    for folder, folders, names in os.walk(ROOT):
        folders[:] = sorted(set(folders) - _WITHOUT)
        for name in sorted(names):
            if name.endswith(".py") and name not in _WITHOUT_MODULES:
                _take(os.path.join(folder, name))


def _take(path):
    parts = path.removeprefix(ROOT + "/").removesuffix(".py").split("/")
    is_package = parts[-1] == "__init__"
    name = ".".join(parts[:-1] if is_package else parts)
    try:
        with open(path, "rb") as file:
            code = compile(file.read(), path, "exec", dont_inherit=True, optimize=0)
    except (SyntaxError, ValueError):
        return
    _modules[name] = (path, is_package, zlib.compress(marshal.dumps(code), 9))


def forget_imported():
    """Let go of what is imported by now."""
    for name in _modules.keys() & sys.modules.keys():
        del _modules[name]


class WithoutFinder:
    """Refuses what is built in and of no use here; first of `sys.meta_path`."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        """None, for others to look; of what is not to be had, an error."""
        if name in _BUILT_IN_WITHOUT:
            raise ModuleNotFoundError(missing(name), name=name)


def missing(name):
    """That a module of Python's library is not there."""
    return f"no module named {name!r}: this module of Python's library is not there in an isolate"


class LibraryFinder:
    """Finds modules of the library; as an entry of `sys.meta_path`."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        """The module's specification, if it is in the library."""
        found = _modules.get(name)
        if found is None:
            return None
        origin, is_package, _ = found
        spec = importlib.machinery.ModuleSpec(name, _LOADER, origin=origin, is_package=is_package)
        spec.has_location = True
        return spec


class _Loader:
    @staticmethod
    def create_module(spec):
        return None

    @staticmethod
    def exec_module(module):
        exec(_code(module.__name__), module.__dict__)

    @staticmethod
    def is_package(name):
        return _modules[name][1]

    @staticmethod
    def get_code(name):
        return _code(name)

    @staticmethod
    def get_source(name):
        return None


def _code(name):
    return marshal.loads(zlib.decompress(_modules[name][2]))


_LOADER = _Loader()
