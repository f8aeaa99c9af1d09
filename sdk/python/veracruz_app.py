"""The core of all programs in Python: an interpreter that is given its program when it runs.

It is built once, without any author's source, and is the same for all programs. When the isolate
calls it, it makes Python fit for an isolate (`veracruz_core.isolate`), takes the author's part of
the program from the host, imports it and calls its `main`.
"""

import veracruz_core.clocks  # first: nothing that is frozen here may know when it was made

veracruz_core.clocks.install()

from veracruz_core import library  # noqa: E402

library.collect()

import sys  # noqa: E402

import libveracruz  # noqa: E402
import veracruz_core.preloaded  # noqa: E402
import wit_world  # noqa: E402
from veracruz_core import isolate, program, tidy  # noqa: E402
from veracruz_core.inputs import Inputs  # noqa: E402

library.forget_imported()


class WitWorld(wit_world.WitWorld):
    """The world `veracruz:guest`."""

    def main(self):
        """Run the author's `main`; a return code in any case."""
        isolate.enter()
        try:
            return _run()
        except libveracruz.Failure as failure:
            program.tell(failure)
            return _code(failure.code)
        except SystemExit as ending:
            return _ended(ending.code)
        except BaseException as error:
            program.tell(error)
            return libveracruz.GENERIC
        finally:
            isolate.said.flush()


def _run():
    author = program.load()
    if author is None:  # it is only to be seen whether it loads
        return libveracruz.SUCCESS
    result = author.main(Inputs())
    if result is None:
        return libveracruz.SUCCESS
    if isinstance(result, int):
        return _code(int(result))
    libveracruz.write_output(result.encode() if isinstance(result, str) else result)
    return libveracruz.SUCCESS


def _code(code):
    if isinstance(code, int) and -(2**31) <= code < 2**31:
        return int(code)
    isolate.said.flush()
    libveracruz.say(
        f"return code {str(code)[:80]} is not a whole number of 32 bits: a large number that is "
        "the result is returned as text or bytes\n"
    )
    return libveracruz.GENERIC


def _ended(code):
    if code is None:
        return libveracruz.SUCCESS
    if isinstance(code, int):
        return _code(code)
    isolate.said.write(f"{code}\n")  # as Python does on a terminal
    return 1


sys.path_importer_cache.clear()
tidy.sweep()
