"""A program that does what its first input says; the other inputs are for it to use."""

import datetime
import hashlib
import json
import os
import random
import sys
import warnings

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


def look_for_files(_inputs):
    return repr([os.path.exists("/etc"), os.access("/", os.R_OK), dict(os.environ)])


def connect(_inputs):
    import socket

    socket.create_connection(("localhost", 80))


def start_thread(_inputs):
    import threading

    threading.Thread(target=print).start()


def unheard_of(_inputs):
    import numpy


def clocks(_inputs):
    import time

    begun = time.monotonic()
    time.sleep(2)
    return json.dumps(
        [
            str(datetime.datetime.now().date()),
            str(datetime.date.today()),
            time.localtime().tm_year,
            datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
            time.ctime(time.time()),
            round(time.monotonic() - begun),
        ]
    )


def waits(_inputs):
    import queue
    import select
    import threading
    import time

    lock, again, event, items = (
        threading.Lock(),
        threading.RLock(),
        threading.Event(),
        queue.Queue(1),
    )
    simple, begun = queue.SimpleQueue(), time.monotonic()
    said = [lock.acquire(timeout=1), lock.acquire(timeout=2), lock.acquire(blocking=False)]
    changed = threading.Condition(again)
    with again, changed:
        said += [changed.wait(timeout=3), event.wait(4)]
        said.append(threading.Semaphore(0).acquire(timeout=5))
    items.put("item")
    for attempt in (
        lambda: items.put("more", timeout=6),
        lambda: items.get(timeout=7) and items.get(timeout=7),
        lambda: simple.get(timeout=8),
        lock.acquire,
        lambda: queue.Queue().get(),
    ):
        try:
            said.append(attempt())
        except (queue.Empty, queue.Full, RuntimeError) as error:
            said.append(type(error).__name__)
    select.select([], [], [], 9)
    event.set()
    return json.dumps([*said, event.wait(), round(time.monotonic() - begun)])


def tasks(_inputs):
    import asyncio

    async def after(seconds):
        await asyncio.sleep(seconds)
        return seconds

    async def all_of_them():
        loop = asyncio.get_running_loop()
        begun = loop.time()
        done = await asyncio.gather(after(1), after(2))
        took = round(loop.time() - begun)
        try:
            await asyncio.wait_for(after(9), 3)
        except TimeoutError:
            return f"{done} in {took} s, and a timeout"

    return asyncio.run(all_of_them())


def log(_inputs):
    import logging

    logging.warning("nearly %d", 9)  # noqa: LOG015
    warnings.warn_explicit("look out", UserWarning, "main.py", 4)


def words(_inputs):
    sys.exit("no rows in the table")


def large_code(_inputs):
    return 2**40


def no_code(_inputs):
    raise libveracruz.Failure("bad")


def library(_inputs):
    import difflib
    import tomllib
    import zoneinfo
    from decimal import Decimal
    from xml.etree import ElementTree

    return json.dumps(
        [
            ElementTree.tostring(ElementTree.fromstring("<a><b/></a>")).decode(),
            str(Decimal("1.5") + Decimal("1.6")),
            tomllib.loads("a = 1")["a"],
            difflib.get_close_matches("x", ["x"])[0],
        ]
    )


def syntax(_inputs):
    compile("1 +", "<string>", "exec")


def lines(_inputs):
    import csv

    with libveracruz.open_input(1, "r", newline="") as file:
        rows = sum(1 for _ in csv.reader(file))
    with libveracruz.open_input(1) as file:
        file.seek(-3, os.SEEK_END)
        return f"{rows} rows, the last 3 bytes {file.read().decode()}"


def second(inputs):
    return inputs[1]


def sums(inputs):
    from libveracruz import arrays

    table = arrays.from_csv(inputs[0])
    x, y = table[:, 0], table[:, 1]
    line = arrays.least_squares(arrays.columns([arrays.full(len(x), 1), x]), y)
    return json.dumps(
        [
            line.to_list(),
            (arrays.exp(x) * 2 - arrays.log(y)).to_list(),
            (table.T @ table).to_list(),
            arrays.argsort(y).to_list(),
            table.sum(0).to_list(),
        ]
    )


def of_the_page(inputs):
    import page

    return page.main(inputs)


def too_many_numbers(_inputs):
    from libveracruz import arrays

    arrays.zeros(2**14, 2**13)


def unlike_shapes(_inputs):
    from libveracruz import arrays

    return (arrays.zeros(3, 2) @ arrays.zeros(3)).to_bytes()


def length(inputs):
    return str(len(inputs[0]))


def recurse(inputs):
    return recurse(inputs)


def fill(_inputs):
    return b"x" * 10**12


def forever(_inputs):
    while True:
        pass


def main(inputs):
    return globals()[inputs[0].decode()](inputs[1:])
