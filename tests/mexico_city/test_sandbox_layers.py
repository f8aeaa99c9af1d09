"""What the layers ask of the kernel, and in which order; the kernel's part is played here."""

import errno
import mmap
import os
import resource
import signal
import struct
import sys

import pytest

from mexico_city.errors import RuntimeFailure
from mexico_city.sandbox import (
    descriptors,
    entry,
    failures,
    kernel,
    landlock,
    limits,
    loading,
    namespaces,
    privileges,
    seccomp,
)
from veracruz_utils.policy import IsolationLayer as Layer
from veracruz_utils.policy import Limits

ALWAYS = {Layer.NO_NEW_PRIVILEGES, Layer.NOT_DUMPABLE}
OF_THE_HOST = {Layer.NAMESPACES, Layer.LIMITS, Layer.CAPABILITIES, Layer.LANDLOCK}


class Played:
    """Functions that only note that they were called, and with what."""

    def __init__(self, monkeypatch) -> None:
        self.calls: list[tuple[object, ...]] = []
        self._monkeypatch = monkeypatch

    def play(self, where, name, answer=None):
        """Have this function give `answer`: raise it, or ask it, if it is of that kind."""

        def played(*arguments, **terms):
            self.calls.append((name, *arguments, *terms.items()))
            if isinstance(answer, Exception):
                raise answer
            return answer(*arguments) if callable(answer) else answer

        self._monkeypatch.setattr(where, name, played)


@pytest.fixture
def played(monkeypatch):
    return Played(monkeypatch)


@pytest.fixture
def layers(played):
    """All the layers, played, as on a host that gives everything."""
    for where, names in (
        (descriptors, "close_all_but give_up_standard_streams"),
        (privileges, "end_with keep_others_out gain_none"),
        (limits, "bound_process"),
        (loading, "refuse_modules"),
        (failures, "report_kinds_only mute_libraries"),
    ):
        for name in names.split():
            played.play(where, name)
    given(played)
    return played


def given(played, *, apart=True, powerless=True, fenced=True, filtered=True):
    played.play(namespaces, "enter", apart)
    played.play(privileges, "drop_capabilities", powerless)
    played.play(landlock, "enter", fenced)
    for name in ("confine_front", "confine_keeper", "confine_guest", "forbid_executable_memory"):
        played.play(seccomp, name, filtered)


def names(played):
    return [name for name, *_ in played.calls]


def test_an_isolate_enters_layer_by_layer(played, layers, monkeypatch):
    played.play(namespaces, "enter", lambda: played.calls.append(("(namespaces)",)) or True)
    played.play(landlock, "enter", lambda: played.calls.append(("(landlock)",)) or True)
    found = entry.enter(keep={5}, parent=4)
    assert found == ALWAYS | OF_THE_HOST
    assert played.calls == [
        ("close_all_but", {5}),
        ("enter",),
        ("(namespaces)",),
        ("end_with", 4),
        ("keep_others_out",),
        ("bound_process", ("alone", True)),
        ("drop_capabilities",),
        ("gain_none",),
        ("enter",),
        ("(landlock)",),
        ("refuse_modules",),
        ("report_kinds_only",),
    ]


@pytest.mark.parametrize(
    ("lack", "lost"),
    [
        ("apart", {Layer.NAMESPACES, Layer.LIMITS}),
        ("powerless", {Layer.CAPABILITIES}),
        ("fenced", {Layer.LANDLOCK}),
    ],
)
def test_a_layer_that_the_host_does_not_give_is_not_reported(played, layers, lack, lost):
    given(played, **{lack: False})
    assert entry.enter(keep=(), parent=4) == (ALWAYS | OF_THE_HOST) - lost
    assert ("bound_process", ("alone", lack != "apart")) in played.calls


@pytest.mark.parametrize("filtered", [True, False])
def test_the_front_is_confined(played, layers, filtered):
    given(played, filtered=filtered)
    assert entry.enter_front() == ({Layer.SECCOMP} if filtered else set())
    assert played.calls == [("confine_front",)]


def test_a_keeper_keeps_less_than_the_front_and_a_guest_less_than_that(played, layers):
    entry.enter_keeper(keep={7}, parent=3)
    assert played.calls == [
        ("close_all_but", {7}),
        ("end_with", 3),
        ("mute_libraries",),
        ("enter",),
        ("confine_keeper",),
    ]
    played.calls.clear()
    entry.enter_guest(keep={7}, parent=4)
    assert played.calls == [
        ("close_all_but", {7, sys.stderr.fileno()}),
        ("end_with", 4),
        ("enter",),
        ("confine_guest",),
    ]
    played.calls.clear()
    entry.settle_guest()
    assert played.calls == [("forbid_executable_memory",)]


def test_who_is_not_walled_in_still_settles(played, layers):
    entry.settle(keep={5}, parent=4)
    assert played.calls == [
        ("close_all_but", {5}),
        ("give_up_standard_streams",),
        ("end_with", 4),
        ("gain_none",),
        ("keep_others_out",),
        ("bound_process", ("alone", False)),
        ("refuse_modules",),
        ("report_kinds_only",),
    ]


class TestLandlock:
    @staticmethod
    def play(played, version, restrict=0):
        def answer(number, *arguments):
            if number == 446:
                if isinstance(restrict, Exception):
                    raise restrict
                return restrict
            if arguments == (None, 0, 1):
                if isinstance(version, Exception):
                    raise version
                return version
            return 99

        played.play(kernel, "system_call", answer)
        played.play(os, "close")

    @pytest.mark.parametrize(
        ("version", "files"),
        list(enumerate([0x1FFF, 0x3FFF, 0x7FFF, 0x7FFF, 0xFFFF, 0xFFFF, 0xFFFF], 1)),
    )
    def test_all_that_the_kernel_knows_is_denied(self, played, version, files):
        self.play(played, version)
        assert landlock.enter() is True
        numbers = [files, *[3] * (version >= 4), *[3] * (version >= 6)]
        handled = struct.pack(f"{len(numbers)}Q", *numbers)
        assert played.calls == [
            ("system_call", 444, None, 0, 1),
            ("system_call", 444, handled, len(handled), 0),
            ("system_call", 446, 99, 0),
            ("close", 99),
        ]

    def test_a_kernel_without_it_is_no_failure(self, played):
        self.play(played, OSError(errno.ENOSYS, "no"))
        assert landlock.enter() is False
        assert len(played.calls) == 1

    def test_a_kernel_that_has_it_and_refuses_is_one(self, played):
        self.play(played, 6, OSError(errno.E2BIG, "no"))
        with pytest.raises(OSError, match="no"):
            landlock.enter()
        assert played.calls[-1] == ("close", 99)


class TestPrivileges:
    def test_the_end_of_the_parent_is_asked_for_before_it_is_looked_at(self, played):
        played.play(kernel, "prctl", 0)
        for parent in (4, 0):  # 0: one outside the pid namespace
            played.play(os, "getppid", parent)
            privileges.end_with(4)
        assert played.calls == [("prctl", 1, signal.SIGKILL), ("getppid",)] * 2
        for parent in (1, 5):
            played.play(os, "getppid", parent)
            with pytest.raises(RuntimeFailure, match="the parent of this process is gone"):
                privileges.end_with(4)

    def test_others_are_kept_out(self, played):
        played.play(kernel, "prctl", 0)
        played.play(resource, "setrlimit")
        privileges.keep_others_out()
        privileges.gain_none()
        assert played.calls == [
            ("prctl", 4, 0),
            ("setrlimit", resource.RLIMIT_CORE, (0, 0)),
            ("prctl", 38, 1),
        ]

    AMBIENT = ("call", "prctl", 47, 4, 0, 0, 0)
    LOCKED = ("prctl", 28, 0xEF)
    NONE_LEFT = ("call", "capset", struct.pack("Ii", 0x20080522, 0), bytes(24))

    @pytest.mark.parametrize("last", [40, 63])
    def test_all_capabilities_go_for_good(self, played, last):
        def prctl(option, value):
            if option == 24 and value > last:
                raise OSError(errno.EINVAL, "no such capability")

        played.play(kernel, "prctl", prctl)
        played.play(kernel, "call", 0)
        assert privileges.drop_capabilities() is True
        tried = min(last + 2, 64)
        assert played.calls == [
            self.AMBIENT,
            *[("prctl", 24, each) for each in range(tried)],
            self.LOCKED,
            self.NONE_LEFT,
        ]

    def test_who_may_not_give_up_those_to_come_gives_up_those_there_are(self, played):
        played.play(kernel, "prctl", OSError(errno.EPERM, "no"))
        played.play(kernel, "call", 0)
        assert privileges.drop_capabilities() is False
        assert played.calls == [self.AMBIENT, ("prctl", 24, 0), self.NONE_LEFT]


class TestNamespaces:
    NEW, BACK = ("call", "unshare", 0x20000000), ("call", "setns", 8, 0x20000000)

    def test_a_fork_begins_a_pid_namespace_and_the_parent_finds_back(self, played):
        played.play(kernel, "call", 0)
        for child in (77, 1):
            played.calls.clear()
            played.play(os, "fork", child)
            assert namespaces.fork_apart(8) == child
            assert played.calls == [self.BACK, self.NEW, ("fork",), self.BACK]

    def test_the_child_stays_in_it(self, played):
        played.play(kernel, "call", 0)
        played.play(os, "fork", 0)
        assert namespaces.fork_apart(8) == 0
        assert played.calls == [self.BACK, self.NEW, ("fork",)]

    def test_without_a_way_back_no_pid_namespace_is_begun(self, played):
        played.play(kernel, "call", OSError(errno.EPERM, "no"))
        played.play(os, "fork", 77)
        assert namespaces.fork_apart(8) == 77
        assert played.calls == [self.BACK, ("fork",)]

    def test_a_fork_that_fails_finds_back_too(self, played):
        played.play(kernel, "call", 0)
        played.play(os, "fork", OSError(errno.EAGAIN, "no more processes"))
        with pytest.raises(OSError, match="no more processes"):
            namespaces.fork_apart(8)
        assert played.calls == [self.BACK, self.NEW, ("fork",), self.BACK]

    @pytest.mark.parametrize("pid", [0, 1, 2])
    def test_an_isolate_enters_all_others_and_lets_no_mount_in(self, played, pid):
        played.play(kernel, "call", 0)
        played.play(os, "getpid", pid)
        assert namespaces.enter() is (pid == 1)
        assert played.calls[:2] == [
            ("call", "unshare", 0x5E020000),
            ("call", "mount", None, b"/", None, 0x44000, None),
        ]

    def test_a_host_without_user_namespaces_gives_none(self, played):
        played.play(kernel, "call", OSError(errno.EPERM, "no"))
        assert namespaces.enter() is False


class TestDescriptors:
    @pytest.mark.parametrize(
        ("keep", "closed"),
        [
            ((), [(3, 2**20)]),
            ({0, 1, 2}, [(3, 2**20)]),
            ({3}, [(4, 2**20)]),
            ({4, 3}, [(5, 2**20)]),
            ({9, 2, 5}, [(3, 5), (6, 9), (10, 2**20)]),
        ],
    )
    def test_everything_else_is_closed(self, played, keep, closed):
        played.play(os, "closerange")
        descriptors.close_all_but(keep)
        assert played.calls == [("closerange", *each) for each in closed]

    def test_standard_input_and_output_become_nothing(self, played):
        played.play(os, "open", 9)
        played.play(os, "dup2")
        played.play(os, "close")
        descriptors.give_up_standard_streams()
        assert played.calls == [
            ("open", "/dev/null", os.O_RDWR), ("dup2", 9, 0), ("dup2", 9, 1), ("close", 9),
        ]  # fmt: skip


class TestLimits:
    PAGE = resource.getpagesize()

    def test_what_is_no_policys_to_give_is_bounded(self, played):
        played.play(resource, "setrlimit")
        played.play(resource, "getrlimit", (64, 128))
        limits.bound_process(alone=True)
        asked = [
            ("setrlimit", resource.RLIMIT_MSGQUEUE, (0, 0)),
            ("setrlimit", resource.RLIMIT_MEMLOCK, (0, 0)),
            ("setrlimit", resource.RLIMIT_CORE, (0, 0)),
            ("setrlimit", resource.RLIMIT_NPROC, (9, 9)),
            ("getrlimit", resource.RLIMIT_NOFILE),
            ("setrlimit", resource.RLIMIT_NOFILE, (128, 128)),
        ]
        assert played.calls == asked
        played.calls.clear()
        limits.bound_process(alone=False)
        assert played.calls == [each for each in asked if each[1] != resource.RLIMIT_NPROC]

    def test_files_are_bounded_in_number_and_size(self, played):
        played.play(resource, "setrlimit")
        limits.bound_files(files=10, file_bytes=20)
        assert played.calls == [
            ("setrlimit", resource.RLIMIT_NOFILE, (10, 10)),
            ("setrlimit", resource.RLIMIT_FSIZE, (20, 20)),
        ]

    def test_memory_is_bounded_above_what_is_in_use(self, played):
        played.play(limits, "_data_bytes", 1000)
        played.play(resource, "setrlimit")
        played.play(resource, "getrlimit", (5, 7))
        given = Limits(compile_memory_bytes=1 << 24, memory_bytes=1 << 25, stack_bytes=1 << 20)
        limits.bound_front_memory()
        limits.bound_memory(given)
        limits.allow_run_memory()
        front, compiling = 1000 + (1280 << 20), 1000 + (1 << 24) + (1 << 24)
        assert [each for each in played.calls if each[0] == "setrlimit"] == [
            ("setrlimit", resource.RLIMIT_DATA, (front, front)),
            ("setrlimit", resource.RLIMIT_DATA, (compiling, compiling + (1 << 25) + (1 << 20))),
            ("setrlimit", resource.RLIMIT_DATA, (7, 7)),
        ]

    def test_addresses_are_bounded_above_what_is_mapped(self, played):
        played.play(resource, "setrlimit")
        limits.bound_addresses(mapped_bytes=123)
        most = (64 << 30) + 123
        assert played.calls == [("setrlimit", resource.RLIMIT_AS, (most, most))]

    @pytest.mark.parametrize("used", [0, 1, 2, 3, 12_345, 2**20 - 2, 2**20 - 1])
    def test_what_is_in_use_is_found_by_asking_the_limit(self, played, used):
        set_to = []

        def set_limit(_, pair):
            set_to.append(pair)
            assert len(set_to) <= 22, "a search by halves of a million ends sooner"

        played.play(resource, "getrlimit", (5, 7))
        played.play(resource, "setrlimit", set_limit)
        played.play(limits, "_one_page_fits", lambda: set_to[-1][0] >= (used + 1) * self.PAGE)
        assert limits._data_bytes() == used * self.PAGE
        assert set_to[-1] == (5, 7)
        assert all(hard == 7 for _, hard in set_to)

    def test_the_limit_is_as_before_whatever_happens(self, played):
        played.play(resource, "getrlimit", (5, 7))
        played.play(resource, "setrlimit")
        played.play(limits, "_one_page_fits", ZeroDivisionError())
        with pytest.raises(ZeroDivisionError):
            limits._data_bytes()
        assert played.calls[-1] == ("setrlimit", resource.RLIMIT_DATA, (5, 7))

    def test_a_page_fits_or_not(self, played):
        assert limits._one_page_fits()
        played.play(mmap, "mmap", OSError(errno.ENOMEM, "no"))
        assert not limits._one_page_fits()
        private = ("flags", mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        assert played.calls == [("mmap", -1, self.PAGE, private)]


class TestKernel:
    def test_a_call_gives_what_the_c_library_does(self):
        for number in (0, 1, 2, 1 << 30):
            assert kernel.call("abs", number) == number
        assert kernel.call("atoi", b"-2") == -2
        assert kernel.call("strlen", b"four") == 4

    def test_a_call_that_fails_is_an_error_that_names_it(self):
        with pytest.raises(OSError, match="close: Bad file descriptor") as caught:
            kernel.call("close", 1 << 30)
        assert caught.value.errno == errno.EBADF

    def test_the_arguments_that_prctl_ignores_are_0(self, played):
        played.play(kernel, "call", 5)
        assert kernel.prctl(39) == 5
        assert kernel.prctl(38, 1) == 5
        assert played.calls == [
            ("call", "prctl", 39, 0, 0, 0, 0),
            ("call", "prctl", 38, 1, 0, 0, 0),
        ]

    def test_a_system_call_is_made_by_its_number(self, played):
        played.play(kernel, "call", 5)
        assert kernel.system_call(39, b"a", None, 3) == 5
        assert played.calls == [("call", "syscall", 39, b"a", None, 3)]


def test_no_module_is_found_after_the_beginning(monkeypatch):
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    loading.refuse_modules()
    (finder,) = sys.meta_path
    with pytest.raises(ModuleNotFoundError, match="module calendar was not measured") as caught:
        finder.find_spec("calendar")
    assert caught.value.name == "calendar"
