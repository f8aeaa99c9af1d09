"""Compiled code from one isolate to the next: used when it is authentic, and made anew otherwise.

Whether a guest compiled shows in what its isolate gives to Sonora: code, or nothing.
"""

import os
import threading
from contextlib import contextmanager

import pytest

from colima import runtime
from mexico_city.content import content_of
from sonora.shared_code import SharedCode
from support.guests import main
from support.isolate_rig import new_party
from support.processes import eventually
from support.runtime_guests import ENDLESS, HELLO
from veracruz_utils.policy import Limits, Role, Strategy

ROLES = [Role.PI_PROVIDER, Role.RESULT_READER]


class Watched(SharedCode):
    """A store that remembers what it offered and took, and can be told to spoil it."""

    def __init__(self) -> None:
        super().__init__()
        self.offered: list[int] = []
        self.made: list[int] = []
        self.spoil = lambda offer, data: (offer, data)
        self.changed = threading.Event()

    def offer(self, program, name):
        offer, descriptors = super().offer(program, name)
        self.offered.append(offer.size)
        if descriptors:
            offer, data = self.spoil(offer, os.pread(descriptors[0], offer.size, 0))
            os.close(descriptors[0])
            descriptors = [content_of(data).descriptor]
        return offer, descriptors

    def take(self, program, name, made, descriptor):
        self.made.append(made.size)
        return super().take(program, name, made, descriptor)


def nobody_waits_for_code() -> bool:
    """Whether no thread is left that takes what an isolate of a test before compiled."""
    return eventually(lambda: not [one for one in threading.enumerate() if one.name == "code"])


@pytest.fixture
def maker(isolates):
    """The zygote of all tests, with a store of the test's own."""
    assert nobody_waits_for_code()
    usual = isolates.launcher._code._shared
    isolates.launcher._code._shared = watched = Watched()
    yield isolates
    assert nobody_waits_for_code()
    isolates.launcher._code._shared = usual
    watched.close()


@contextmanager
def computed(maker, program=HELLO, **terms):
    """A computation by a new isolate, to its result."""
    party = new_party("party")
    raw = maker.policy([(party, ROLES)], program=program, **terms)
    with maker.launch(raw, [party]) as rig, rig.session(0) as caller:
        assert caller.program(program) == runtime.Done()
        answer, content = caller.result()
        assert isinstance(answer, runtime.ResultIs)
        assert content == (b"hello" if program == HELLO else b"")
        yield rig


def made(maker, count: int) -> bool:
    return eventually(lambda: len(maker.launcher._code._shared.made) == count)


@pytest.mark.parametrize("strategy", list(Strategy))
def test_a_second_computation_does_not_compile(maker, strategy):
    store = maker.launcher._code._shared
    with computed(maker, strategy=strategy):
        assert made(maker, 1)
    for _ in range(3):
        with computed(maker, strategy=strategy):
            pass
    assert store.offered == [0, *store.made * 3]
    assert len(store.made) == 1


def test_another_policy_with_the_same_program_does_not_compile_either(maker):
    with computed(maker):
        assert made(maker, 1)
    with computed(maker, limits=Limits(run_seconds=7, memory_bytes=2**26)):
        pass
    assert maker.launcher._code._shared.offered[1] == maker.launcher._code._shared.made[0]
    assert len(maker.launcher._code._shared.made) == 1


def test_other_settings_and_other_programs_are_compiled(maker):
    with computed(maker):
        assert made(maker, 1)
    with computed(maker, strategy=Strategy.INTERPRETATION):
        assert made(maker, 2)
    with computed(maker, limits=Limits(fuel=10**6)):
        assert made(maker, 3)
    with computed(maker, main("(i32.const 0)")):
        assert made(maker, 4)
    assert maker.launcher._code._shared.offered == [0, 0, 0, 0]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda offer, data: (offer, bytes([data[0] ^ 1]) + data[1:]),
        lambda offer, data: (offer, data[:-1]),
        lambda offer, data: (offer, data + b"x"),
        lambda offer, data: (type(offer)(offer.key, bytes(32), offer.size), data),
        lambda offer, data: (type(offer)(bytes(32), offer.tag, offer.size), data),
        lambda offer, data: (type(offer)(offer.key, offer.tag, 2**40), data),
    ],
    ids=["changed", "cut", "longer", "other tag", "other key", "huge"],
)
def test_code_that_is_not_authentic_is_made_anew(maker, spoil):
    with computed(maker):
        assert made(maker, 1)
    maker.launcher._code._shared.spoil = spoil
    with computed(maker):
        assert made(maker, 2)


def test_code_comes_from_a_guest_that_saw_no_input(maker):
    """It is taken when the program is loaded, and what follows changes nothing."""
    with computed(maker):
        assert made(maker, 1)
    with computed(maker) as rig, rig.session(0) as caller:
        assert caller.result()[1] == b"hello"
    assert len(maker.launcher._code._shared.made) == 1


def test_an_isolate_that_ends_without_a_program_leaves_nothing(maker):
    party = new_party("party")
    raw = maker.policy([(party, ROLES)], program=ENDLESS)
    with maker.launch(raw, [party]):
        pass
    assert maker.launcher._code._shared.made == []
    assert nobody_waits_for_code()
