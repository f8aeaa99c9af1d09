"""The author's part of the program: sources, and which of them has `main`.

{"main": "main", "files": {"main.py": "...", "tables/__init__.py": "..."}}
"""

import importlib.abc
import importlib.machinery
import json
import sys
import traceback

import libveracruz
from wit_world.imports import host

from veracruz_core import isolate, library

_files = {}
_OURS = "/0/"


def load():
    """The module that has the function `main`; None when it is only to be seen that it loads."""
    size = host.author_part_size()
    if not size:
        raise ImportError("there is no author's part in this program")
    part = json.loads(libveracruz._gathered(size, host.read_author_part))
    _files.update(part["files"])
    sys.meta_path[:] = [
        library.WithoutFinder,
        *isolate.BUILT_IN,
        library.LibraryFinder,
        _AuthorFinder,
        _Missing,
    ]
    module = importlib.import_module(part["main"])
    if not callable(getattr(module, "main", None)):
        raise ImportError(f"{part['main']}.py has no function `main`: write `def main(inputs):`")
    return None if part.get("check") else module


class _AuthorFinder:
    """Finds the author's modules."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        base = name.replace(".", "/")
        for origin, is_package in ((f"{base}/__init__.py", True), (f"{base}.py", False)):
            if origin in _files:
                spec = importlib.machinery.ModuleSpec(
                    name, _LOADER, origin=origin, is_package=is_package
                )
                spec.has_location = True
                return spec
        return None


class _Loader(importlib.abc.InspectLoader):
    @staticmethod
    def get_source(name):
        return _files[_AuthorFinder.find_spec(name).origin]

    @staticmethod
    def get_filename(name):
        return _AuthorFinder.find_spec(name).origin

    @staticmethod
    def get_data(path):
        try:
            return _files[path].encode()
        except KeyError:
            raise OSError(f"{path} is not in the program") from None

    def get_code(self, name):
        origin = _AuthorFinder.find_spec(name).origin
        return compile(_files[origin], origin, "exec", dont_inherit=True)


_LOADER = _Loader()


class _Missing:
    """Says why a module is not there, last of all."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in sys.stdlib_module_names:
            raise ModuleNotFoundError(library.missing(name), name=name)
        raise ModuleNotFoundError(
            f"no module named {name!r}: the program has what lies beside it and is written in "
            "Python, and Python's library",
            name=name,
        )


def tell(error):
    """Say what an exception is and where it came from, with lines of the author's sources."""
    isolate.said.flush()
    try:
        error.__traceback__ = _authors(error.__traceback__)
        lines = traceback.format_exception(error, limit=-20)
    except Exception:
        lines = [type(error).__name__ + "\n"]
    libveracruz.say("".join(lines).encode("utf-8", "replace"))


def _authors(place):
    """The traceback from the first of the author's frames on, without ours at its end."""
    while place is not None and place.tb_frame.f_code.co_filename not in _files:
        place = place.tb_next
    last = place
    while last is not None:
        if last.tb_next and last.tb_next.tb_frame.f_code.co_filename.startswith(_OURS):
            last.tb_next = None
        last = last.tb_next
    return place
