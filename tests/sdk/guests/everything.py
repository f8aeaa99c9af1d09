"""A program that does what its first input says; the other inputs are for it to use."""

import datetime
import hashlib
import json
import os
import random
import sys

import example
import libveracruz
import template

import veracruz


def statistics(inputs):
    return example.main(inputs)


def total(inputs):
    return template.main(inputs)


def echo(inputs):
    return b"".join(inputs)


def report(_inputs):
    return json.dumps(
        {
            "sizes": [libveracruz.input_size(index) for index in range(libveracruz.input_count())],
            "streams": [item.decode() for item in libveracruz.streams()],
            "previous": (libveracruz.previous_result() or b"").decode(),
            "first": libveracruz.previous_result() is None,
        }
    )


def draw(_inputs):
    return os.urandom(16) + random.randbytes(16) + libveracruz.random_bytes(300_000)[:16]


def digest(inputs):
    print("the author reads this")
    print("and this, without a line's end", end="", file=sys.stderr)
    return hashlib.sha256(inputs[0]).hexdigest()


def chatter(_inputs):
    for _ in range(20_000):
        print("x" * 100)


def date(_inputs):
    return str(datetime.datetime.strptime("2021-05-03", "%Y-%m-%d").date())


def refuse(_inputs):
    raise libveracruz.refuse_input(2, 3)


def error(_inputs):
    return 1 // 0


def fail(_inputs):
    raise libveracruz.Failure(libveracruz.BAD_INPUT, "not what was expected")


def code(_inputs):
    return 7


def nothing(_inputs):
    return None


def end(_inputs):
    sys.exit(3)


def late(_inputs):
    import sqlite3


def status(_inputs):
    try:
        libveracruz.read_input(99)
    except libveracruz.HostError as error:
        return str(error.status)


def own(_inputs):
    return veracruz.NAME


def open_file(_inputs):
    open("/etc/passwd")


def recurse(inputs):
    return recurse(inputs)


def fill(_inputs):
    return b"x" * 10**12


def forever(_inputs):
    while True:
        pass


def main(inputs):
    return globals()[inputs[0].decode()](inputs[1:])
