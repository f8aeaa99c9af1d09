"""Which system calls pass: the programs for the kernel, run here instruction by instruction."""

import ctypes
import errno
import fcntl
import importlib
import os
import runpy
import signal
import socket
import struct
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mexico_city.filters import ARCHITECTURES, PROCESS, assembler, programs
from mexico_city.filters.assembler import ALLOW, KILL, CallRule, Condition, assemble, refuse
from mexico_city.filters.numbers import Architecture
from mexico_city.sandbox import kernel, seccomp

EPERM = refuse(errno.EPERM)
SMALL = Architecture(audit=7, foreign_from=100, numbers={"a": 1, "b": 2, "c": 99})


def instructions(program: bytes):
    return list(struct.iter_unpack("<HBBI", program))


def verdict(program: bytes, number: int, arguments=(), *, audit: int) -> int:
    """What the kernel would do with this call."""
    data = struct.pack("<IIQ6Q", number, audit, 0, *arguments, *[0] * (6 - len(arguments)))
    steps, at, accumulator = instructions(program), 0, 0
    while True:
        code, if_so, if_not, operand = steps[at]
        at += 1
        if code in {0x15, 0x35}:
            holds = accumulator == operand if code == 0x15 else accumulator >= operand
            at += if_so if holds else if_not
            continue
        assert (if_so, if_not) == (0, 0)
        match code:
            case 0x20:
                assert operand % 4 == 0
                (accumulator,) = struct.unpack_from("<I", data, operand)
            case 0x54:
                accumulator &= operand
            case 0x06:
                return operand
            case _:
                raise AssertionError(f"no instruction that we use: {code:#x}")


def meant(rules, default: int, number: int, arguments) -> int:
    """What the rules say of a call of `SMALL`."""
    if number >= 100:
        return KILL
    for rule in rules:
        if SMALL.numbers.get(rule.call) != number:
            continue
        for case in rule.cases:
            if all(
                arguments[each.argument] >> 32 * each.high & 0xFFFFFFFF & each.mask == each.value
                for each in case
            ):
                return ALLOW
        return rule.otherwise
    return default


@pytest.mark.parametrize("number", [0, 1, 99, 100])
def test_calls_of_another_architecture_end_the_process(number):
    program = assemble(assembler.allow("a b c"), SMALL, default=ALLOW)
    assert verdict(program, number, audit=8) == KILL


def test_calls_of_another_table_end_the_process_where_there_is_one():
    program = assemble([], SMALL, default=ALLOW)
    assert [verdict(program, each, audit=7) for each in (99, 100, 101)] == [ALLOW, KILL, KILL]
    alone = assemble([], Architecture(7, None, {}), default=ALLOW)
    assert verdict(alone, 0x40000000, audit=7) == ALLOW


def test_each_argument_is_looked_at_where_it_is():
    for argument in range(6):
        for high in (False, True):
            rule = CallRule("a", ((Condition(argument, 0xFF, 5, high=high),),))
            program = assemble([rule], SMALL, default=EPERM)
            for place in range(6):
                for half in (False, True):
                    arguments = [0] * 6
                    arguments[place] = 5 << 32 * half
                    here = (place, half) == (argument, high)
                    assert (verdict(program, 1, arguments, audit=7) == ALLOW) == here


def test_the_words_for_conditions_mean_what_they_say():
    assert Condition(1, 2, 3) == Condition(1, 2, 3, high=False)
    assert assembler.equal(3, 7) == Condition(3, 0xFFFFFFFF, 7)
    assert assembler.without(2, 4) == Condition(2, 4, 0)
    assert assembler.null(4) == (
        Condition(4, 0xFFFFFFFF, 0),
        Condition(4, 0xFFFFFFFF, 0, high=True),
    )
    assert (refuse(), refuse(errno.ENOSYS)) == (0x00050001, 0x00050026)


def test_the_numbers_are_those_of_the_architectures():
    x86, arm = ARCHITECTURES["x86_64"], ARCHITECTURES["aarch64"]
    assert (x86.audit, x86.foreign_from) == (0xC000003E, 0x40000000)
    assert (arm.audit, arm.foreign_from) == (0xC00000B7, None)
    for name, *numbers in (("read", 0, 63), ("execve", 59, 221), ("seccomp", 317, 277)):
        assert [x86.numbers[name], arm.numbers[name]] == numbers
    assert x86.numbers.keys() - arm.numbers.keys() == {
        "epoll_wait", "poll", "iopl", "ioperm", "modify_ldt",
    }  # fmt: skip
    assert arm.numbers.keys() <= x86.numbers.keys()
    for each in (x86, arm):
        assert len(set(each.numbers.values())) == len(each.numbers)


def test_this_machine_knows_its_own_numbers():
    here = ARCHITECTURES.get(os.uname().machine)
    if here is None:
        pytest.skip(f"no table for {os.uname().machine}")
    assert kernel.system_call(here.numbers["getpid"]) == os.getpid()


class Kernel:
    """Takes filters and does not follow them."""

    def __init__(self, table: Architecture) -> None:
        self.table = table
        self.asked = 0
        self.programs: list[bytes] = []

    def system_call(self, number, operation, flags, given):
        assert number == self.table.numbers["seccomp"]
        if operation == 2:
            assert (flags, given) == (0, struct.pack("I", 0x80000000))
            self.asked += 1
            return 0
        assert (operation, flags) == (1, 1)  # a filter, for all threads
        count, address = struct.unpack("HxxxxxxQ", given)
        program = ctypes.string_at(address, 8 * count)
        assert instructions(program)[-1][:3] == (0x06, 0, 0)
        self.programs.append(program)
        return 0

    def verdict(self, call, *arguments):
        """Of the one filter."""
        (program,) = self.programs
        number = call if isinstance(call, int) else self.table.numbers[call]
        return verdict(program, number, arguments, audit=self.table.audit)


@pytest.fixture(params=["x86_64", "aarch64"])
def taken(request, monkeypatch):
    """A kernel that takes filters, of each architecture."""
    fake = Kernel(ARCHITECTURES[request.param])
    monkeypatch.setattr(kernel, "system_call", fake.system_call)
    with loaded_on(request.param):
        yield fake


@contextmanager
def loaded_on(machine):
    """The module as it is on this machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "uname", lambda: SimpleNamespace(machine=machine))
        importlib.reload(seccomp)
        yield
    importlib.reload(seccomp)


GUEST, SELF = 77, os.getpid()
ENOTTY, ENOSYS = refuse(errno.ENOTTY), refuse(errno.ENOSYS)
SEALED = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
THREAD = 0x003D0F00
FORK = 0x01200000 | signal.SIGCHLD

PRIVATE, SHARED, ANONYMOUS, GROWSDOWN = 0x02, 0x01, 0x20, 0x100

COMMON = [
    # What RLIMIT_DATA does not count: shared memory, memory that grows by itself.
    ("mmap", (0, 0, 3, SHARED | ANONYMOUS), EPERM),
    ("mmap", (0, 0, 3, SHARED | PRIVATE | ANONYMOUS), EPERM),
    ("mmap", (0, 0, 3, PRIVATE | ANONYMOUS | GROWSDOWN), EPERM),
    ("mmap", (0, 0, 3, PRIVATE | GROWSDOWN), EPERM),
    ("mmap", (0, 0, 3, SHARED | GROWSDOWN), EPERM),
    ("read", (1, 2, 3), ALLOW),
    ("write", (1, 2, 3), ALLOW),
    ("recvmsg", (1, 2, 3), ALLOW),
    ("exit_group", (0,), ALLOW),
    ("madvise", (9, 9, 4, 9), ALLOW),
    ("madvise", (9, 9, 8, 9), ALLOW),
    ("madvise", (4, 4, 3, 4), EPERM),
    ("madvise", (8, 8, 3, 8), EPERM),
    ("prlimit64", (0, 9, 9), ALLOW),
    ("prlimit64", (1, 0, 0), EPERM),
    ("sendto", (9, 9, 9, 9, 0, 9), ALLOW),
    ("sendto", (0, 0, 0, 0, 1, 0), EPERM),
    ("sendto", (0, 0, 0, 0, 1 << 32, 0), EPERM),
    ("ioctl", (9, 0x5421, 9), ALLOW),
    ("ioctl", (0x5421, 0x5401, 0x5421), ENOTTY),
    ("clone3", (0, 0), ENOSYS),
    ("execve", (0, 0, 0), KILL),
    ("execveat", (0, 0, 0), KILL),
    ("ptrace", (0, 0, 0), KILL),
    ("unshare", (0,), KILL),
    ("setns", (0, 0), KILL),
    ("mount", (0, 0, 0), KILL),
    ("bpf", (0, 0, 0), KILL),
    ("userfaultfd", (0,), KILL),
    ("io_uring_setup", (0, 0), KILL),
    ("perf_event_open", (0, 0), KILL),
    ("keyctl", (0, 0), KILL),
]
FRONT = [
    *COMMON,
    ("sendmsg", (1, 2, 3), ALLOW),
    ("pread64", (1, 2, 3, 4), ALLOW),
    ("mmap", (4, 4, 3, PRIVATE | ANONYMOUS), ALLOW),
    ("mmap", (4, 4, 1, SHARED), ALLOW),
    ("mmap", (0, 0, 7, PRIVATE | ANONYMOUS), EPERM),
    ("mmap", (0, 0, 4, SHARED), EPERM),
    ("mprotect", (4, 4, 3, 4), ALLOW),
    ("mprotect", (0, 0, 5, 0), EPERM),
    ("memfd_create", (9, SEALED, 9), ALLOW),
    ("memfd_create", (SEALED, 1, SEALED), EPERM),
    *[
        ("fcntl", (9, command, 9), ALLOW)
        for command in (fcntl.F_ADD_SEALS, fcntl.F_GET_SEALS, fcntl.F_DUPFD_CLOEXEC, fcntl.F_GETFL)
    ],
    ("fcntl", (fcntl.F_GETFL, fcntl.F_SETFL, fcntl.F_GETFL), EPERM),
    ("kill", (GUEST, signal.SIGKILL), EPERM),
    ("wait4", (GUEST, 9, 9, 9), EPERM),
    ("socketpair", (socket.AF_UNIX,), EPERM),
    ("prctl", (1, signal.SIGKILL), EPERM),
    ("clone", (THREAD,), EPERM),
    ("clone", (FORK,), EPERM),
    ("tgkill", (SELF, SELF, signal.SIGABRT), EPERM),
    ("seccomp", (1, 0, 0), EPERM),
    ("membarrier", (0,), EPERM),
]
COMPILES = [
    *COMMON,
    ("mmap", (0, 0, 7, PRIVATE | ANONYMOUS), ALLOW),
    ("mmap", (0, 0, 1, SHARED), ALLOW),
    ("mprotect", (0, 0, 5, 0), ALLOW),
    ("membarrier", (0,), ALLOW),
    ("fcntl", (9, fcntl.F_DUPFD_CLOEXEC, 9), ALLOW),
    ("fcntl", (fcntl.F_DUPFD_CLOEXEC, fcntl.F_GETFL, fcntl.F_DUPFD_CLOEXEC), EPERM),
    ("clone", (THREAD, 9), ALLOW),
    ("clone", (THREAD | 0x10000000, THREAD), EPERM),
    ("clone", (signal.SIGCHLD, THREAD), EPERM),
    ("seccomp", (1, 9, 9), ALLOW),
    ("seccomp", (2, 1, 1), EPERM),
    ("memfd_create", (0, SEALED), EPERM),
    ("epoll_ctl", (0,), EPERM),
]
OF_ENTRY = ("close_range", "getppid", "landlock_create_ruleset", "landlock_restrict_self")
KEEPER = [
    *COMPILES,
    ("clone", (FORK, 9), ALLOW),
    ("clone", (FORK | 0x10000000, FORK), EPERM),
    ("kill", (GUEST, signal.SIGKILL), ALLOW),
    ("kill", (GUEST, signal.SIGTERM), EPERM),
    ("kill", (0xFFFFFFFF, signal.SIGKILL), EPERM),
    ("kill", (signal.SIGKILL, GUEST), EPERM),
    ("wait4", (GUEST, 9, 9, 9), ALLOW),
    ("wait4", (0xFFFFFFFF, GUEST, GUEST), EPERM),
    ("tgkill", (SELF, 9, signal.SIGABRT, 9), ALLOW),
    ("tgkill", (SELF, signal.SIGABRT, signal.SIGKILL, signal.SIGABRT), EPERM),
    ("socketpair", (socket.AF_UNIX, 9), ALLOW),
    ("socketpair", (socket.AF_INET, socket.AF_UNIX), EPERM),
    ("prctl", (1, 9), ALLOW),
    ("prctl", (4, 1), EPERM),
    *[(call, (1, 2, 3), ALLOW) for call in ("sendmsg", *OF_ENTRY)],
]
GUEST_CALLS = [
    *COMPILES,
    ("clone", (FORK, THREAD), EPERM),
    *[(call, (1, 2, 3), EPERM) for call in ("socketpair", "prctl", *OF_ENTRY)],
    ("tgkill", (SELF, 9, signal.SIGABRT, 9), ALLOW),
    ("tgkill", (SELF, signal.SIGABRT, signal.SIGKILL, signal.SIGABRT), EPERM),
    ("tgkill", (1, SELF, signal.SIGABRT), EPERM),
    ("kill", (GUEST, signal.SIGKILL), EPERM),
    ("wait4", (GUEST,), EPERM),
    ("sendmsg", (1, 2, 3), EPERM),
]
# None of these is in the tables: they meet the default. openat, socket, connect, fork, pidfd_open,
# and mremap, which would make more of memory that is executable already.
ELSEWHERE = {"x86_64": (257, 41, 42, 57, 434, 25), "aarch64": (56, 198, 203, 434, 216)}


def test_the_front_makes_its_calls_and_no_others(taken):
    assert seccomp.confine_front()
    for call, arguments, expected in FRONT:
        assert taken.verdict(call, *arguments) == expected, (call, arguments)


def test_the_keeper_makes_its_calls_and_no_others(taken):
    assert seccomp.confine_keeper()
    for call, arguments, expected in KEEPER:
        assert taken.verdict(call, *arguments) == expected, (call, arguments)


def test_whatever_a_guest_may_do_its_keeper_may_whose_filter_is_below():
    for architecture in ARCHITECTURES.values():
        made = programs(architecture)
        for call, arguments, expected in GUEST_CALLS:
            if expected == ALLOW:
                number = architecture.numbers[call]
                below = verdict(made["keeper"], number, arguments, audit=architecture.audit)
                assert below == ALLOW, call


def test_the_guest_makes_its_calls_and_no_others(taken):
    assert seccomp.confine_guest()
    for call, arguments, expected in GUEST_CALLS:
        assert taken.verdict(call, *arguments) == expected, (call, arguments)


@pytest.mark.parametrize("confine", ["confine_front", "confine_keeper", "confine_guest"])
def test_what_is_on_no_list_is_refused(taken, confine):
    getattr(seccomp, confine)()
    machine = next(name for name, table in ARCHITECTURES.items() if table is taken.table)
    for number in ELSEWHERE[machine]:
        assert taken.verdict(number) == EPERM


def test_after_compiling_no_memory_becomes_executable_and_no_filter_is_added(taken):
    assert seccomp.forbid_executable_memory()
    for call in ("mmap", "mprotect"):
        assert taken.verdict(call, 4, 4, 3, 4) == ALLOW
        assert taken.verdict(call, 0, 0, 4, 0) == EPERM
    for operation in range(3):
        assert taken.verdict("seccomp", operation) == EPERM
    assert taken.verdict("read") == ALLOW
    assert taken.verdict(12345) == ALLOW


def test_the_kernel_is_asked_once_what_it_can(taken):
    for confine in (seccomp.confine_guest, seccomp.forbid_executable_memory):
        assert confine()
    assert taken.asked == 1
    assert len(taken.programs) == 2


@pytest.mark.parametrize(
    "confine",
    [
        seccomp.confine_front,
        seccomp.confine_keeper,
        seccomp.confine_guest,
        seccomp.forbid_executable_memory,
    ],
)
@pytest.mark.parametrize("known", [True, False], ids=["kernel", "machine"])
def test_without_filters_in_the_kernel_or_numbers_of_the_machine_nothing_is_confined(
    monkeypatch, confine, known
):
    def refuses(*_):
        assert known
        raise OSError(errno.EINVAL, "no")

    monkeypatch.setattr(kernel, "system_call", refuses)
    with loaded_on("x86_64" if known else "riscv64"):
        assert confine() is False


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_the_programs_that_are_loaded_are_those_that_the_rules_make(machine):
    made = programs(ARCHITECTURES[machine])
    folder = Path(seccomp.__file__).parent / "programs" / machine
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == made, "make filters"
    with loaded_on(machine):
        assert made == seccomp._PROGRAMS


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_a_program_names_a_process_where_a_condition_compares_it_and_nowhere_else(machine):
    word, found = struct.pack("I", PROCESS), {}
    for name, program in programs(ARCHITECTURES[machine]).items():
        found[name] = program.count(word)
        compared = [each for each in instructions(program) if each[0] == 0x15]
        assert [each[3] for each in compared].count(PROCESS) == found[name]
    assert found == {"front": 0, "keeper": 0, "guest": 1, "compiled": 0}


def test_without_its_programs_nothing_is_loaded_on_a_machine_that_has_them(tmp_path):
    alone = tmp_path / "seccomp.py"
    alone.write_bytes(Path(seccomp.__file__).read_bytes())
    with pytest.raises(FileNotFoundError, match=r"programs/.*/front"):
        runpy.run_path(str(alone))


WORDS = st.sampled_from([0, 1, 2, 3, 0x80000000, 0xFFFFFFFF])
VALUES = st.builds(lambda low, high: low | high << 32, WORDS, WORDS)
CONDITIONS = st.builds(Condition, st.integers(0, 5), WORDS, WORDS, st.booleans())
RULES = st.builds(
    CallRule,
    st.sampled_from(["a", "b", "c", "not of this machine"]),
    st.lists(st.lists(CONDITIONS, max_size=3).map(tuple), max_size=3).map(tuple),
    st.sampled_from([EPERM, ALLOW, KILL]),
)
VERDICTS = st.sampled_from([ALLOW, EPERM])
NUMBERS = st.sampled_from([0, 1, 2, 3, 98, 99, 100, 101, 0xFFFFFFFF])


@given(st.lists(RULES, max_size=5), VERDICTS, NUMBERS, st.lists(VALUES, min_size=6, max_size=6))
def test_a_program_does_what_its_rules_say(rules, default, number, arguments):
    program = assemble(rules, SMALL, default=default)
    assert verdict(program, number, arguments, audit=7) == meant(rules, default, number, arguments)
