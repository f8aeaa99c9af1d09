"""Every parser of hostile bytes: changes of what it reads give a value or its own error.

FUZZ_PARSER picks one by its name. The rest of the environment: `support.fuzzing`.
"""

import os
import sys

from support.fuzzing import run
from support.parsers import parsers, try_changed


def prepare():
    known = parsers()
    wanted = os.environ.get("FUZZ_PARSER", "")
    picked = [parser for parser in known if wanted in {"", parser.name}]
    names = ", ".join(parser.name for parser in known)
    assert picked, f"there is no parser {wanted!r}, known are {names}"

    def case(random, number):
        parser = picked[number % len(picked)]
        return f"{parser.name}: {try_changed(parser, random)}"

    return case


if __name__ == "__main__":
    sys.exit(run("fuzz_parsers", prepare))
