"""Compiled code of a core, which is for every program that begins with it and made by none."""

import os
from contextlib import contextmanager

import pytest

from colima import runtime
from mexico_city.content import anonymous_file, content_of
from sdk.toolchains.python_core import joined
from sonora.prepared_code import PreparedCode
from support.cores import CORE
from support.isolate_rig import new_party
from support.processes import eventually
from veracruz_utils.digest import Digest
from veracruz_utils.policy import Limits, Role, Strategy

ROLES = [Role.PI_PROVIDER, Role.RESULT_READER]


@pytest.fixture
def maker(isolates):
    """The zygote of all tests, with prepared code of the test's own."""
    launcher = isolates.launcher
    usual = launcher._prepared
    launcher._prepared = PreparedCode(launcher._compile_core, launcher._hand_out)
    yield isolates
    launcher._prepared.close()
    launcher._prepared = usual


def prepared(maker, count=1):
    return eventually(lambda: len(maker.launcher._prepared._codes) == count)


@contextmanager
def computed(maker, part, **terms):
    """A computation of a program on the core; whether its isolate had to compile."""
    party = new_party("party")
    program = joined(CORE, part)
    raw = maker.policy([(party, ROLES)], program=program, **terms)
    seen = []
    add_file = maker.launcher._prepared.add_file
    maker.launcher._prepared.add_file = lambda *core: seen.append(core[1]) or add_file(*core)
    with maker.launch(raw, [party]) as rig, rig.session(0) as caller:
        assert caller.program(program) == runtime.Done()
        answer, _ = caller.result()
        assert answer.return_code == len(part)
        yield seen
    maker.launcher._prepared.add_file = add_file


@pytest.mark.parametrize("strategy", list(Strategy))
def test_a_core_that_was_seen_is_compiled_for_all_programs_that_begin_with_it(maker, strategy):
    with computed(maker, b"one", strategy=strategy) as seen:
        assert eventually(lambda: seen == [len(CORE)])
        assert prepared(maker)
    with computed(maker, b"another", strategy=strategy) as seen:
        pass
    assert seen == []


def test_a_core_is_compiled_ahead_as_most_policies_have_it(maker):
    maker.launcher.prepare(CORE)
    assert prepared(maker)
    with computed(maker, b"one") as seen:
        pass
    assert seen == []


def test_other_settings_are_prepared_when_a_policy_has_them(maker):
    maker.launcher.prepare(CORE)
    assert prepared(maker)
    with computed(maker, b"one", limits=Limits(fuel=10**6)):
        assert prepared(maker, 2)


def test_an_isolate_that_runs_is_told_of_code_that_is_made(maker):
    party = new_party("party")
    program = joined(CORE, b"late")
    raw = maker.policy([(party, ROLES)], program=program)
    with maker.launch(raw, [party]) as rig, rig.session(0) as caller:
        maker.launcher.prepare(CORE)
        assert prepared(maker)
        assert caller.program(program) == runtime.Done()
        assert caller.result()[0].return_code == len(b"late")


def test_code_that_says_it_is_of_another_core_is_not_kept():
    def compiled_by_a_core_that_took_over(_policy, _core, _size, code):
        os.write(code, b"code" + Digest.of(b"another").value + bytes(32))
        return True

    given = []
    store = PreparedCode(compiled_by_a_core_that_took_over, lambda *told: given.append(told))
    store.add(b"core")
    store.want(b"", b"")
    assert eventually(store._queue.empty)
    store.close()
    store._worker.join()
    assert given == []


def test_a_core_that_can_still_change_is_not_taken():
    store = PreparedCode(lambda *_: False, lambda *_: None)
    open_file = anonymous_file()
    os.write(open_file, b"core")
    assert store.add_file(open_file, 4) is None
    sealed = content_of(b"core")
    assert store.add_file(os.dup(sealed.descriptor), 5) is None
    assert store.add_file(os.dup(sealed.descriptor), 4) == Digest.of(b"core")
    sealed.close()
    store.close()


def test_there_is_room_for_few_cores():
    store = PreparedCode(lambda *_: False, lambda *_: None)
    known = [store.add(bytes([number])) for number in range(6)]
    assert [each is not None for each in known] == [True] * 4 + [False] * 2
    assert store.add(b"\0") == known[0]
    assert store.add(b"") is None
    store.close()
