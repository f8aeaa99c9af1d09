"""The queue between two threads."""

from threading import Thread

import pytest

from jalisco._pipe import Pipe
from support.patience import PATIENCE_S


def test_chunks_come_out_in_order():
    pipe = Pipe(3)
    assert [pipe.put(chunk) for chunk in (b"a", b"b", b"c")] == [True] * 3
    assert [pipe.get(), pipe.get(), pipe.get()] == [b"a", b"b", b"c"]


def test_a_full_pipe_takes_nothing_and_an_empty_one_gives_nothing():
    pipe = Pipe(1)
    with pytest.raises(TimeoutError):
        pipe.get(0)
    pipe.put(b"a")
    with pytest.raises(TimeoutError):
        pipe.put(b"b", 0.01)
    assert pipe.get(0) == b"a"
    assert pipe.put(b"b", 0)


def test_what_is_inside_a_closed_pipe_can_be_taken():
    pipe = Pipe(2)
    pipe.put(b"a")
    pipe.close()
    assert pipe.put(b"b") is False
    assert pipe.get() == b"a"
    assert pipe.get() is None
    assert pipe.get() is None


@pytest.mark.parametrize("wait", [lambda pipe: pipe.get(), lambda pipe: pipe.put(b"b")])
def test_closing_wakes_who_waits(wait):
    pipe, results = Pipe(0), []  # nothing fits, nothing is there: both ways wait
    waiting = Thread(target=lambda: results.append(wait(pipe)))
    waiting.start()
    pipe.close()
    waiting.join(PATIENCE_S)
    assert results in ([None], [False])
