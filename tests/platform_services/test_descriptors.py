"""Descriptors over sockets: as many as were announced, or none."""

import os
import socket

import pytest

from platform_services import PlatformError
from platform_services.descriptors import receive_descriptors, send_descriptors
from support.processes import open_files


def test_many_descriptors_arrive_in_their_order_and_close_on_exec():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        files = [os.memfd_create(str(number)) for number in range(450)]
        for number, file in enumerate(files):
            os.write(file, b"%d" % number)
        send_descriptors(ours, files)
        received = receive_descriptors(theirs, len(files))
        assert [os.pread(file, 9, 0) for file in received] == [b"%d" % n for n in range(450)]
        assert not any(os.get_inheritable(file) for file in received)
        for file in (*files, *received):
            os.close(file)


def test_where_the_other_side_is_gone_there_is_no_descriptor():
    ours, theirs = socket.socketpair()
    with theirs:
        ours.close()
        with pytest.raises(PlatformError, match="0 descriptors came, 1 were announced"):
            receive_descriptors(theirs, 1)


def test_descriptors_that_were_not_announced_are_closed():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        before = len(open_files(os.getpid()))
        socket.send_fds(ours, [b"\0"], [0, 1, 2])
        with pytest.raises(PlatformError, match="descriptors came, 2 were announced"):
            receive_descriptors(theirs, 2)
        socket.send_fds(ours, [b"\0"], [0])
        with pytest.raises(PlatformError, match="1 descriptors came, 2 were announced"):
            receive_descriptors(theirs, 2)
        assert len(open_files(os.getpid())) == before
