"""What the adapter answers to each call of WASI, a test standing where the program would."""

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution_engine.errors import LimitError
from execution_engine.limits import EngineLimits
from sdk.adaptation.adapter import wasi_functions
from support.wasi_adapter import (
    APPEND,
    BADF,
    CLOCK,
    CREATE,
    DIRECTORY,
    EXCLUSIVE,
    EXIST,
    FAULT,
    FBIG,
    FROM_END,
    FROM_HERE,
    FROM_START,
    INVAL,
    ISDIR,
    MFILE,
    NOENT,
    NOMEM,
    NOSPC,
    NOSYS,
    NOTCAPABLE,
    NOTDIR,
    NOTSOCK,
    PAGE,
    READ,
    ROFS,
    ROOT,
    SPIPE,
    STDERR,
    STDIN,
    STDOUT,
    SUCCESS,
    TRUNCATE,
    WRITE,
    run,
)

FOLDER, FILE = 3, 4


def test_standard_input_is_the_first_input_in_pieces():
    def program(wasi):
        assert wasi.get(STDIN, 4) == (SUCCESS, b"abcd")
        assert wasi.get(STDIN, 4) == (SUCCESS, b"ef")
        assert wasi.get(STDIN, 4) == (SUCCESS, b"")

    assert run(program, b"abcdef", b"other") == (0, b"", "")


def test_without_inputs_standard_input_is_at_its_end_and_the_first_stream_is_what_it_is():
    def program(wasi):
        assert wasi.get(STDIN, 4) == (SUCCESS, b"")
        _, file = wasi.open(b"stream/0")
        assert wasi.get(file, 9) == (SUCCESS, b"stream")

    run(program, streams=[b"stream"])


def test_inputs_streams_and_the_previous_result_are_files():
    def program(wasi):
        for path, content in (
            (b"input/0", b"first"), (b"./input//1", b"second"), (b"stream/0", b"a stream"),
            (b"input/../previous", b"before"), (b"input/2", b""),
        ):  # fmt: skip
            assert wasi.stat(path) == (SUCCESS, FILE, len(content))
            error, file = wasi.open(path)
            assert (error, *wasi.get(file, 99)) == (SUCCESS, SUCCESS, content)
            assert wasi.fd_close(file) == SUCCESS
            assert wasi.get(file, 1)[0] == BADF

    run(program, b"first", b"second", b"", streams=[b"a stream"], previous_result=b"before")


def test_paths_that_lead_nowhere_are_told_apart():
    def program(wasi):
        for path, error in (
            (b"input/1", NOENT), (b"input/00", NOENT), (b"input/x", NOENT), (b"nothing", NOENT),
            (b"input/4294967296", NOENT), (b"input/123456789", NOENT), (b"previous", NOENT),
            (b"output", NOENT), (b"nothing/at/all", NOENT), (b"input/0/x", NOTDIR),
            (b"input/0/", NOTDIR), (b"..", NOTCAPABLE), (b"input/../../x", NOTCAPABLE),
            (b"/input/0", NOTCAPABLE), (b"", NOENT), (b"inputs", NOENT), (b"input0", NOENT),
        ):  # fmt: skip
            assert wasi.stat(path)[0] == error, path
            assert wasi.open(path)[0] == error, path
        assert wasi.stat(b".")[:2] == wasi.stat(b"stream/")[:2] == (SUCCESS, FOLDER)
        assert wasi.open(b"input/0", how=DIRECTORY)[0] == NOTDIR
        assert wasi.open(b"0", folder=STDIN)[0] == NOTDIR
        assert wasi.open(b"0", folder=77)[0] == BADF

    run(program, b"first")


def test_a_path_is_found_from_the_folder_that_is_open():
    def program(wasi):
        _, folder = wasi.open(b"input", how=DIRECTORY)
        _, file = wasi.open(b"1", folder=folder)
        assert wasi.get(file, 9) == (SUCCESS, b"second")

    run(program, b"first", b"second")


@pytest.mark.parametrize("room", [26, 31, 64, 4096])
def test_folders_list_what_is_in_them(room):
    def program(wasi):
        _, folder = wasi.open(b"input", how=DIRECTORY)
        assert wasi.names(folder, room) == [(b"%d" % each, FILE) for each in range(12)]
        assert wasi.names(ROOT, 64) == [
            (b"input", FOLDER), (b"stream", FOLDER), (b"previous", FILE)
        ]  # fmt: skip
        wasi.open(b"output", how=CREATE, rights=WRITE)
        assert wasi.names(ROOT, 64)[-1] == (b"output", FILE)
        _, empty = wasi.open(b"stream", how=DIRECTORY)
        assert wasi.names(empty) == []
        assert wasi.fd_readdir(STDIN, 256, 64, 0, 64) == NOTDIR

    run(program, *[b""] * 12, previous_result=b"")


def test_the_root_is_open_at_first_and_nothing_else():
    def program(wasi):
        assert (wasi.fd_prestat_get(ROOT, 256), wasi.u64(256)) == (SUCCESS, 1 << 32)
        assert (wasi.fd_prestat_dir_name(ROOT, 256, 1), wasi.read(256, 1)) == (SUCCESS, b"/")
        assert wasi.fd_prestat_dir_name(ROOT, 256, 0) == INVAL
        assert [wasi.fd_prestat_get(each, 256) for each in (STDIN, 4, 999)] == [BADF] * 3

    run(program)


def test_what_goes_to_standard_output_is_the_result_and_to_standard_error_is_said():
    def program(wasi):
        assert wasi.put(STDOUT, b"result, ") == (SUCCESS, 8)
        assert wasi.put(STDERR, b"words") == (SUCCESS, 5)
        assert wasi.put(STDOUT, b"all of it") == (SUCCESS, 9)

    assert run(program) == (0, b"result, all of it", "words")


def test_where_output_is_made_it_is_the_result_and_standard_output_is_said():
    def program(wasi):
        wasi.put(STDOUT, b"early, ")
        error, file = wasi.open(b"output", how=CREATE | TRUNCATE, rights=WRITE)
        assert error == SUCCESS
        wasi.put(file, b"result")
        wasi.put(STDOUT, b"late")
        assert wasi.open(b"output")[0] == SUCCESS
        assert wasi.open(b"output", how=CREATE | EXCLUSIVE, rights=WRITE)[0] == EXIST
        _, other = wasi.open(b"output", rights=READ | WRITE)
        assert wasi.get(other, 99) == (SUCCESS, b"result")
        wasi.put(other, b"!")

    assert run(program) == (0, b"result!", "early, late")


def test_a_result_written_by_the_host_call_stays_and_what_is_printed_is_said():
    def program(wasi):
        wasi.write(256, b"by hand")
        assert wasi.host.write_output(256, 7) == 0
        wasi.put(STDOUT, b"printed")

    assert run(program) == (0, b"by hand", "printed")


def test_two_results_end_with_the_code_of_the_second():
    def program(wasi):
        wasi.host.write_output(256, 7)
        wasi.open(b"output", how=CREATE, rights=WRITE)

    assert run(program)[0] == -6


@pytest.mark.parametrize("code", [1, -5, 0x7FFFFFFF])
def test_who_leaves_with_a_code_has_no_result_and_what_was_said_stays(code):
    def program(wasi):
        wasi.put(STDOUT, b"half of it")
        wasi.put(STDERR, b"why")
        wasi.proc_exit(code)

    assert run(program) == (code, None, "why")


def test_who_leaves_with_none_has_a_result():
    def program(wasi):
        wasi.put(STDOUT, b"whole")
        wasi.proc_exit(0)

    assert run(program) == (0, b"whole", "")


def test_of_what_is_said_the_end_is_kept():
    words = "".join(f"{each:05} " for each in range(3000))

    def program(wasi):
        for start in range(0, len(words), 777):
            wasi.put(STDERR, words[start : start + 777].encode())

    assert run(program)[2] == words[-4096:]


def test_what_is_read_only_is_not_opened_for_writing():
    def program(wasi):
        for path in (b"input/0", b"previous"):
            assert wasi.open(path, rights=READ | WRITE)[0] == ROFS
            assert wasi.open(path, how=TRUNCATE)[0] == ROFS
        assert wasi.open(b"input/1", how=CREATE, rights=WRITE)[0] == ROFS
        assert wasi.open(b"new", how=CREATE, rights=WRITE)[0] == ROFS
        assert wasi.open(b"input", how=CREATE, rights=WRITE)[0] == ISDIR
        assert wasi.put(STDIN, b"x")[0] == BADF
        assert wasi.get(STDOUT, 1)[0] == BADF

    run(program, b"first", previous_result=b"before")


def test_positions_are_sought_and_told():
    def program(wasi):
        _, file = wasi.open(b"input/0")
        for offset, whence, place in (
            (4, FROM_START, 4), (-1, FROM_HERE, 3), (-2, FROM_END, 4), (9, FROM_END, 15)
        ):  # fmt: skip
            assert wasi.fd_seek(file, offset, whence, 64) == SUCCESS
            assert wasi.u64(64) == place
            assert (wasi.fd_tell(file, 64), wasi.u64(64)) == (SUCCESS, place)
        assert wasi.get(file, 9) == (SUCCESS, b"")
        assert wasi.fd_seek(file, -1, FROM_START, 64) == INVAL
        assert wasi.fd_seek(file, 0, 3, 64) == INVAL
        assert wasi.fd_seek(file, 2**63 - 1, FROM_HERE, 64) == INVAL
        assert wasi.fd_seek(ROOT, 0, FROM_START, 64) == wasi.fd_tell(ROOT, 64) == BADF
        assert wasi.fd_seek(STDERR, 0, FROM_START, 64) == wasi.fd_tell(STDERR, 64) == SPIPE
        wasi.write(0, struct.pack("<II", 256, 2))
        assert (wasi.fd_pread(file, 0, 1, 3, 64), wasi.read(256, 2)) == (SUCCESS, b"de")
        assert (wasi.fd_tell(file, 64), wasi.u64(64)) == (SUCCESS, 15)

    run(program, b"abcdef")


def test_what_is_known_of_descriptors():
    def program(wasi):
        for file, kind, can in ((STDIN, FILE, READ), (STDOUT, FILE, WRITE), (STDERR, 0, WRITE),
                                (ROOT, FOLDER, READ | WRITE)):  # fmt: skip
            assert wasi.fd_fdstat_get(file, 256) == SUCCESS
            assert wasi.read(256, 1)[0] == kind
            assert wasi.u64(264) & (READ | WRITE) == can
            assert wasi.fd_filestat_get(file, 256) == SUCCESS
            assert wasi.read(272, 1)[0] == kind
        assert wasi.fd_filestat_get(STDIN, 256) == SUCCESS
        assert (wasi.u64(288), wasi.u64(296)) == (5, CLOCK)
        assert wasi.fd_fdstat_set_flags(STDOUT, APPEND) == SUCCESS
        assert (wasi.fd_fdstat_get(STDOUT, 256), wasi.read(258, 1)) == (SUCCESS, b"\1")
        assert wasi.fd_fdstat_set_flags(STDOUT, 64) == INVAL
        assert wasi.fd_fdstat_set_rights(STDOUT, 0, 0) == SUCCESS

    run(program, b"first")


def test_descriptors_are_renumbered_and_are_not_without_end():
    def program(wasi):
        _, file = wasi.open(b"input/1")
        assert wasi.fd_renumber(file, STDIN) == SUCCESS
        assert wasi.get(STDIN, 9) == (SUCCESS, b"second")
        assert wasi.fd_renumber(file, STDIN) == wasi.fd_renumber(STDIN, 50) == BADF
        assert wasi.fd_renumber(STDIN, STDIN) == SUCCESS
        opened = [wasi.open(b"input/0") for _ in range(200)]
        assert (SUCCESS, 127) in opened
        assert opened[-1][0] == MFILE

    run(program, b"first", b"second")


def test_arguments_and_environment_are_those_of_the_build():
    def program(wasi):
        assert wasi.args_sizes_get(0, 4) == wasi.environ_sizes_get(8, 12) == SUCCESS
        assert [wasi.u32(each) for each in (0, 4, 8, 12)] == [2, 12, 1, 4]
        assert wasi.args_get(0, 256) == wasi.environ_get(16, 512) == SUCCESS
        assert [wasi.u32(each) for each in (0, 4, 16)] == [256, 264, 512]
        assert (wasi.read(256, 12), wasi.read(512, 4)) == (b"program\0-v3\0", b"A=b\0")
        assert wasi.args_get(PAGE - 4, 256) == wasi.args_get(0, PAGE - 8) == FAULT

    run(program, arguments=["program", "-v3"], environment=["A=b"])


def test_clocks_begin_at_their_instant_and_go_on_where_the_program_looks():
    def program(wasi):
        readings = []
        for clock in (0, 1, 0, 2, 3):
            assert wasi.clock_time_get(clock, 0, 64) == SUCCESS
            readings.append(wasi.u64(64))
        assert readings == [CLOCK, 1000, CLOCK + 2000, 3000, 4000]
        assert (wasi.clock_res_get(1, 64), wasi.u64(64)) == (SUCCESS, 1000)
        assert wasi.clock_time_get(4, 0, 64) == wasi.clock_res_get(9, 64) == INVAL

    run(program)


def clock_subscription(clock, timeout, *, absolute=False, data=7):
    return struct.pack("<QB7xI4xQQH6x", data, 0, clock, timeout, 0, absolute)


def file_subscription(file, tag, data=8):
    return struct.pack("<QB7xI28x", data, tag, file)


def events_of(wasi, *subscriptions):
    wasi.write(256, b"".join(subscriptions))
    error = wasi.poll_oneoff(256, 1024, len(subscriptions), 64)
    assert error == SUCCESS
    return [
        struct.unpack("<QHB5xQ", wasi.read(1024 + 32 * each, 24)) for each in range(wasi.u32(64))
    ]


def test_who_sleeps_wakes_at_once_and_the_clock_says_that_it_slept():
    def program(wasi):
        assert events_of(wasi, clock_subscription(1, 10**9)) == [(7, SUCCESS, 0, 0)]
        wasi.clock_time_get(1, 0, 64)
        assert wasi.u64(64) == 10**9
        two = clock_subscription(1, 3 * 10**9, absolute=True, data=1), clock_subscription(0, 10**10)
        assert events_of(wasi, *two) == [(1, SUCCESS, 0, 0)]
        wasi.clock_time_get(1, 0, 64)
        assert wasi.u64(64) == 3 * 10**9
        past = clock_subscription(0, 1, absolute=True)
        assert events_of(wasi, past) == [(7, SUCCESS, 0, 0)]
        assert events_of(wasi, clock_subscription(9, 1)) == [(7, INVAL, 0, 0)]

    run(program)


def test_files_are_ready_before_any_clock():
    def program(wasi):
        found = events_of(
            wasi, clock_subscription(1, 5), file_subscription(STDIN, 1), file_subscription(9, 2),
            file_subscription(STDOUT, 2), file_subscription(STDOUT, 3),
        )  # fmt: skip
        assert found == [(8, 0, 1, 5), (8, BADF, 2, 0), (8, 0, 2, 0), (8, INVAL, 3, 0)]
        wasi.clock_time_get(1, 0, 64)
        assert wasi.u64(64) == 0
        assert wasi.poll_oneoff(256, 1024, 0, 64) == INVAL
        assert wasi.poll_oneoff(256, 1024, 2000, 64) == FAULT

    run(program, b"first")


def test_random_bytes_are_the_hosts():
    def program(wasi):
        assert wasi.random_get(256, 64) == SUCCESS
        assert wasi.read(256, 64) != bytes(64)
        assert wasi.random_get(PAGE - 1, 2) == FAULT

    run(program)


def test_more_random_bytes_than_the_limit_end_the_run():
    with pytest.raises(LimitError):
        run(lambda wasi: wasi.random_get(0, 9), limits=EngineLimits(random_bytes=8))


def test_what_there_is_none_of_is_refused():
    def program(wasi):
        wasi.write(256, b"input/0new")
        old, new = (256, 7), (263, 3)
        assert wasi.path_create_directory(ROOT, *new) == ROFS
        assert wasi.path_create_directory(ROOT, *old) == EXIST
        assert wasi.path_remove_directory(ROOT, *old) == ROFS
        assert wasi.path_unlink_file(ROOT, *old) == ROFS
        assert wasi.path_unlink_file(ROOT, *new) == NOENT
        assert wasi.path_rename(ROOT, *old, ROOT, *new) == ROFS
        assert wasi.path_link(ROOT, 0, *old, ROOT, *new) == ROFS
        assert wasi.path_symlink(*old, ROOT, *new) == ROFS
        assert wasi.path_readlink(ROOT, *old, 512, 9, 64) == INVAL
        assert wasi.path_filestat_set_times(ROOT, 0, *old, 0, 0, 0) == ROFS
        assert wasi.fd_filestat_set_times(STDIN, 0, 0, 0) == ROFS
        assert wasi.sock_accept(STDIN, 0, 64) == wasi.sock_shutdown(STDIN, 0) == NOTSOCK
        assert wasi.sock_recv(STDIN, 0, 0, 0, 64, 64) == NOTSOCK
        assert wasi.sock_send(STDOUT, 0, 0, 0, 64) == NOTSOCK
        assert wasi.sock_shutdown(99, 0) == BADF
        assert wasi.proc_raise(6) == NOSYS
        assert wasi.sched_yield() == wasi.fd_sync(STDOUT) == wasi.fd_datasync(STDOUT) == SUCCESS
        assert wasi.fd_advise(STDIN, 0, 0, 0) == SUCCESS

    run(program, b"first")


def test_what_has_no_room_is_told_and_what_was_there_stays():
    limits = EngineLimits(memory_bytes=8 * PAGE)

    def program(wasi):
        assert wasi.put(STDOUT, b"result") == (SUCCESS, 6)
        _, file = wasi.open(b"input/0")
        assert wasi.get(file, 1)[0] == NOMEM
        assert wasi.fd_filestat_set_size(STDOUT, 10 * PAGE) == NOSPC
        assert wasi.fd_filestat_set_size(STDOUT, 2**40) == FBIG
        assert wasi.fd_allocate(STDOUT, 0, 10 * PAGE) == NOSPC
        wasi.write(0, struct.pack("<II", 256, 1))
        assert wasi.fd_pwrite(STDOUT, 0, 1, 10 * PAGE, 64) == NOSPC
        assert wasi.fd_pwrite(STDOUT, 0, 1, 2**62, 64) == FBIG

    assert run(program, bytes(9 * PAGE), limits=limits) == (0, b"result", "")


def test_memory_grows_as_far_as_the_program_says_and_no_further():
    def program(wasi):
        assert wasi.program_memory_size() == 2
        assert wasi.program_memory_grow(0) == 2
        assert wasi.program_memory_grow(2) == 2
        assert wasi.program_memory_grow(1) == -1
        assert wasi.program_memory_grow(-1) == -1
        assert wasi.program_memory_size() == 4

    run(program, pages=2, most=4)


def test_memory_that_there_is_not_is_not_grown_and_nothing_is_lost():
    def program(wasi):
        wasi.put(STDOUT, b"result")
        assert wasi.program_memory_grow(100) == -1
        while wasi.program_memory_grow(1) != -1:
            pass
        assert wasi.program_memory_size() in range(6, 8)

    limits = EngineLimits(memory_bytes=8 * PAGE)
    assert run(program, limits=limits) == (0, b"result", "")


PIECES = st.binary(max_size=3000)
ACTIONS = st.one_of(
    st.tuples(st.just("put"), PIECES),
    st.tuples(st.just("seek"), st.integers(0, 400_000)),
    st.tuples(st.just("resize"), st.integers(0, 400_000)),
    st.tuples(st.just("get"), st.integers(0, 3000)),
    st.tuples(st.just("grow"), st.integers(0, 9)),
    st.tuples(st.just("load"), st.integers(0, 3)),
)
INPUTS = [b"", b"first", bytes(range(256)) * 700, bytes(300_000)]


@given(st.lists(ACTIONS, max_size=25))
def test_the_result_is_what_was_written_and_memory_is_the_programs(actions):
    """However the result, the program's memory and what is read grow past one another."""
    model = io.BytesIO()

    def program(wasi):
        _, file = wasi.open(b"output", how=CREATE, rights=READ | WRITE)
        pages = 1
        wasi.write(8192, b"mine" * 1000)
        for what, how in actions:
            if what == "put":
                assert wasi.put(file, how) == (SUCCESS, len(how))
                if how:
                    _extend(model, model.tell())
                    model.write(how)
            elif what == "seek":
                assert wasi.fd_seek(file, how, FROM_START, 64) == SUCCESS
                model.seek(how)
            elif what == "resize":
                assert wasi.fd_filestat_set_size(file, how) == SUCCESS
                at = model.tell()
                _extend(model, how)
                model.truncate(how)
                model.seek(at)
            elif what == "get":
                assert wasi.get(file, how) == (SUCCESS, model.read(how))
            elif what == "grow":
                assert wasi.program_memory_grow(how) == pages
                assert wasi.read(pages * PAGE, how * PAGE) == bytes(how * PAGE)
                wasi.write(pages * PAGE, bytes([pages]) * (how * PAGE))
                pages += how
            else:
                _, other = wasi.open(b"input/%d" % how)
                assert wasi.get(other, 3000) == (SUCCESS, INPUTS[how][:3000])
                wasi.fd_close(other)
        assert wasi.read(8192, 4000) == b"mine" * 1000

    assert run(program, *INPUTS) == (0, model.getvalue(), "")


def _extend(model, size):
    at = model.tell()
    if (end := model.seek(0, io.SEEK_END)) < size:
        model.write(bytes(size - end))
    model.seek(at)


NUMBERS = st.one_of(
    st.sampled_from([0, 1, 2, 3, 4, 8, 24, 64, 256, PAGE - 8, PAGE - 1, PAGE, PAGE + 1, 2 * PAGE]),
    st.integers(0, 2**32 - 1),
)
CALLS = st.sampled_from(sorted(wasi_functions().keys() - {"proc_exit"}))


@given(st.data())
def test_whatever_a_call_is_given_it_answers_by_a_number_and_keeps_out_of_its_own_memory(data):
    def program(wasi):
        wasi.write(0, data.draw(st.binary(max_size=200)))
        for name in data.draw(st.lists(CALLS, max_size=8)):
            arguments = [data.draw(NUMBERS) for _ in wasi_functions()[name].params]
            assert wasi.__getattr__(name)(*arguments) in range(77), (name, arguments)
        # What is its own was not written to: it still knows where the root is.
        assert wasi.stat(b"input/0")[0] in {SUCCESS, BADF, NOTDIR, NOENT}

    code, output, _ = run(program, b"first")
    assert (code, output is not None) == (0, True)
