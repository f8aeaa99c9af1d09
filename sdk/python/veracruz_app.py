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

import veracruz_author as author  # the author's module, by the name that the builder gives it
import wit_world

import veracruz

if not callable(getattr(author, "main", None)):
    raise ImportError("there is no function `main` in the program")


class _Sources:
    """Refuses imports that were not made when the component was built, while it is still alive."""

    def find_spec(self, name, path=None, target=None):
        raise ImportError(
            f"{name} is imported while the program runs: import it at the top of the module"
        )


def _prepare():
    os.urandom = random._urandom = veracruz.random_bytes
    random.seed(veracruz.random_bytes(32))
    sys.stdout = sys.stderr = io.StringIO()
    sys.meta_path[:] = [_Sources()]


class WitWorld(wit_world.WitWorld):
    """The world `veracruz:guest`."""

    def main(self):
        """Run the author's `main`; a return code in any case."""
        _prepare()
        try:
            return _run()
        except veracruz.Failure as failure:
            return failure.code
        except SystemExit as ending:
            code = ending.code
            return code if isinstance(code, int) else int(code is not None)
        except BaseException:  # printing it would end the run by a trap
            return veracruz.GENERIC


def _run():
    result = author.main(veracruz.inputs())
    if result is None:
        return veracruz.SUCCESS
    if isinstance(result, int):
        return int(result)
    veracruz.write_output(result.encode() if isinstance(result, str) else result)
    return veracruz.SUCCESS
