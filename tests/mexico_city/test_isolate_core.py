"""Compiled code of a core, which is for every program that begins with it and made by none."""

import errno
import os
import signal
import threading
from contextlib import contextmanager

import pytest

from colima import runtime
from mexico_city.content import anonymous_file, content_of
from sdk.toolchains.python_core import joined
from sonora.prepared_code import PreparedCode
from support.cores import CORE
from support.isolate_rig import new_party
from support.processes import eventually, open_files
from veracruz_utils.digest import Digest
from veracruz_utils.policy import Limits, Role, Strategy

ROLES = [Role.PI_PROVIDER, Role.RESULT_READER]


@pytest.fixture
def maker(isolates):
    """The zygote of all tests, with prepared code of the test's own."""
    code = isolates.launcher._code
    usual = code._prepared
    code._prepared = PreparedCode(isolates.launcher._compile_core, code._hand_out)
    yield isolates
    code._prepared.close()
    code._prepared = usual


def prepared(maker, count=1):
    return eventually(lambda: len(maker.launcher._code._prepared._codes) == count)


@contextmanager
def computed(maker, part, **terms):
    """A computation of a program on the core; whether its isolate had to compile."""
    party = new_party("party")
    program = joined(CORE, part)
    raw = maker.policy([(party, ROLES)], program=program, **terms)
    seen = []
    add_file = maker.launcher._code._prepared.add_file
    maker.launcher._code._prepared.add_file = lambda *core: seen.append(core[1]) or add_file(*core)
    with maker.launch(raw, [party]) as rig, rig.session(0) as caller:
        assert caller.program(program) == runtime.Done()
        answer, _ = caller.result()
        assert answer.return_code == len(part)
        yield seen
    maker.launcher._code._prepared.add_file = add_file


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


def code_of(core: bytes, engine: bytes) -> bytes:
    return b"code" + Digest.of(core).value + engine


class Compiler:
    """Makes code in no time, for the engine that stands in the policy, when it may."""

    def __init__(self):
        self.made = []
        self.fails = False
        self.may = threading.Event()
        self.may.set()

    def __call__(self, policy, core, size, code):
        assert self.may.wait(20)
        content = os.pread(core, size, 0)
        self.made.append((content, policy))
        os.write(code, code_of(content, policy or engine(0)))
        if self.fails:
            raise OSError(errno.EMFILE, "too many open files")
        return True


@pytest.fixture
def compiler():
    return Compiler()


@pytest.fixture
def store(compiler):
    one = PreparedCode(compiler, lambda *_: None)
    yield one
    compiler.may.set()
    one.close()


def engine(number: int) -> bytes:
    return bytes([number]) * 32


def want(store, number: int) -> None:
    store.want(engine(number), engine(number))
    assert eventually(lambda: not store._wished)


def codes(store, number: int) -> list[bytes]:
    with store.of_engine(engine(number)) as found:
        return [os.pread(each, 1000, 0) for each in found]


def test_the_core_that_was_not_seen_for_longest_makes_room_with_its_code(store):
    known = [store.add(bytes([number])) for number in range(4)]
    want(store, 1)
    assert store.add(b"\0") == known[0]
    files = len(open_files(os.getpid()))
    assert store.add(b"another") is not None
    assert len(open_files(os.getpid())) == files - 1  # a core and its code went, a core came
    assert set(codes(store, 1)) == {code_of(bytes([each]), engine(1)) for each in (0, 2, 3)}
    assert store.add(b"") is None


def test_an_operators_cores_stay(store):
    known = [store.add(bytes([number]), stays=True) for number in range(4)]
    assert store.add(b"another") is None
    assert store.add(b"\2") == known[2]


def test_code_that_made_room_is_compiled_again_for_who_wants_it(store, compiler):
    store.add(b"core")
    for number in range(9):
        want(store, number)
    assert codes(store, 0) == []
    want(store, 0)
    assert codes(store, 0) == [code_of(b"core", engine(0))]
    assert len(compiler.made) == 10


def test_code_that_is_asked_for_does_not_make_room(store):
    store.add(b"core")
    for number in range(20):
        want(store, number)
        assert codes(store, 0)


def test_few_wishes_wait_however_many_settings_policies_have(store, compiler):
    compiler.may.clear()
    store.add(b"core")
    for number in range(200):
        store.want(engine(number), engine(number))
    assert len(store._wished) == 8
    compiler.may.set()
    assert eventually(lambda: not store._wished)
    want(store, 199)
    assert codes(store, 199)


def test_what_failed_is_tried_again_and_not_for_ever(store, compiler):
    store.add(b"core")
    compiler.fails = True
    files = len(open_files(os.getpid()))
    for _ in range(5):
        want(store, 1)
    assert len(compiler.made) == 3
    assert len(open_files(os.getpid())) == files
    compiler.fails = False
    want(store, 2)
    assert codes(store, 2)


def test_a_core_that_was_kept_waits_for_all_that_is_wanted_now(store, compiler):
    compiler.may.clear()
    store.add_kept(Digest.of(b"first"), b"first")
    assert eventually(store._queue.empty)  # it is being compiled
    store.add_kept(Digest.of(b"kept"), b"kept")
    store.add(b"new")
    store.want(engine(1), engine(1))
    compiler.may.set()
    assert eventually(lambda: not store._wished and store._queue.empty())
    now = [(b"new", engine(1)), (b"first", engine(1)), (b"kept", engine(1))]
    assert compiler.made == [(b"first", b""), *now]


def test_a_kept_core_that_was_wanted_meanwhile_is_not_compiled_once_more(store, compiler):
    compiler.may.clear()
    store.add(b"other")
    store.want(engine(1), engine(1))
    store.add_kept(Digest.of(b"kept"), b"kept")
    store.want(engine(2), engine(2))
    compiler.may.set()
    assert eventually(lambda: not store._wished and store._queue.empty())
    assert sorted(compiler.made) == sorted([
        (b"other", engine(1)), (b"other", engine(2)), (b"kept", engine(2)),
    ])  # fmt: skip


def test_kept_cores_take_no_room_from_others_and_make_it_first(store):
    store.add_kept(Digest.of(b"kept"), b"kept")
    known = [store.add(bytes([number])) for number in range(3)]
    store.add_kept(Digest.of(b"too many"), b"too many")
    assert list(store._cores) == [Digest.of(b"kept"), *known]
    store.add(b"another")
    assert Digest.of(b"kept") not in store._cores


def test_what_is_kept_was_seen_by_an_isolate_and_could_be_compiled(compiler):
    kept = []
    one = PreparedCode(compiler, lambda *_: None, lambda *core: kept.append(core))

    def see(core: bytes) -> None:
        content = content_of(core)
        assert one.add_file(os.dup(content.descriptor), len(core)) is not None
        content.close()

    one.add(b"of the operator", stays=True)
    one.add_kept(Digest.of(b"of before"), b"of before")
    see(b"seen")
    want(one, 1)
    assert eventually(one._queue.empty)
    assert kept == [(Digest.of(b"seen"), b"seen")]
    compiler.fails = True
    see(b"bad")
    want(one, 1)
    assert len(kept) == 1
    one.close()


def test_a_core_that_nobody_waits_for_is_compiled_when_nobody_else_computes(maker, monkeypatch):
    zygote = maker.launcher.zygote
    found = []

    def forked(*asked):
        process = ask(*asked)
        give_way = process.give_way
        number = process.process_id
        os.kill(number, signal.SIGSTOP)  # or it may have ended before it is looked at

        def given_way():
            give_way()
            found.append(os.getpriority(os.PRIO_PROCESS, number))

        process.give_way = given_way
        threading.Timer(0.2, os.kill, (number, signal.SIGCONT)).start()
        return process

    ask = zygote.forked
    monkeypatch.setattr(zygote, "forked", forked)
    maker.launcher.prepare(CORE)
    assert prepared(maker)
    assert found == [19]
