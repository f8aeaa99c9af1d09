"""What the isolate calls: it makes Python fit for an isolate, then calls the author's `main`.

There is no file, clock, environment or terminal in an isolate, and asking for one ends the run. So
everything is imported while the component is built, and what Python would ask the system for is
asked of the host.
"""

# ruff: noqa: F401 - these and the encodings Python would import at their first use
import _strptime
import encodings.ascii
import encodings.cp1252
import encodings.latin_1
import encodings.utf_8_sig
import encodings.utf_16
import encodings.utf_16_le
import encodings.utf_32
import io
import os
import random
import sys

import libveracruz
import veracruz_author as author  # the author's module, by the name that the builder gives it
import wit_world

if not callable(getattr(author, "main", None)):
    raise ImportError("the program has no function `main`")


class _Sources:
    """Refuses imports that were not made when the component was built, while it is still alive."""

    def find_spec(self, name, path=None, target=None):
        raise ImportError(
            f"{name} is imported while the program runs: import it at the top of the module"
        )


class _Said(io.TextIOBase):
    """What is printed: line by line to the author, who reads the end of it under `debug`."""

    MOST = 64 * 1024

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


_out = _Said()


def _prepare():
    os.urandom = random._urandom = libveracruz.random_bytes
    random.seed(libveracruz.random_bytes(32))
    sys.stdout = sys.stderr = _out
    sys.meta_path[:] = [_Sources()]


class WitWorld(wit_world.WitWorld):
    """The world `veracruz:guest`."""

    def main(self):
        """Run the author's `main`; a return code in any case."""
        _prepare()
        try:
            return _run()
        except libveracruz.Failure as failure:
            _tell(failure)
            return failure.code
        except SystemExit as ending:
            code = ending.code
            return code if isinstance(code, int) else int(code is not None)
        except BaseException as error:
            _tell(error)
            return libveracruz.GENERIC
        finally:
            _out.flush()


def _tell(error):
    """Say what an exception is and where it came from; Python's own way would look for files."""
    lines, place = [], error.__traceback__
    while place is not None:
        code = place.tb_frame.f_code
        name = code.co_filename.rpartition("/")[2]
        if name != "veracruz_app.py":
            lines.append(f"  {name}, line {place.tb_lineno}, in {code.co_name}")
        place = place.tb_next
    try:
        what = f"{type(error).__name__}: {error}"
    except Exception:
        what = type(error).__name__
    _out.flush()
    libveracruz.say("\n".join([*lines[-20:], what, ""]).encode("utf-8", "replace"))


def _run():
    result = author.main(libveracruz.inputs())
    if result is None:
        return libveracruz.SUCCESS
    if isinstance(result, int):
        return int(result)
    libveracruz.write_output(result.encode() if isinstance(result, str) else result)
    return libveracruz.SUCCESS
