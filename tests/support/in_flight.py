"""Isolates whose neighbour's guest was taken over and takes no descriptor."""

import os
import resource
import signal
import socket

from colima import runtime
from sonora.errors import LaunchError
from support.isolate_rig import RigMaker, new_party
from support.processes import guest_of
from support.runtime_guests import HELLO
from veracruz_utils.policy import Role

INPUTS = 1500
"""More than 1024, so that all of them at once were too many."""
ALONE = [[Role.PI_PROVIDER, Role.RESULT_READER]]
TOGETHER = [[Role.PI_PROVIDER, Role.RESULT_READER, Role.DATA_PROVIDER]]


def hello(maker: RigMaker) -> bytes:
    with maker.computation(ALONE, program=HELLO) as rig, rig.session(0) as caller:
        caller.program(HELLO)
        return caller.result()[1]


def others_go_on(maker: RigMaker) -> None:
    """While the guest of one isolate, with all its inputs at hand, is stopped."""
    expected = hello(maker)
    with (
        maker.computation(TOGETHER, program=HELLO, data=[0] * INPUTS) as rig,
        maker.computation(ALONE, program=HELLO) as other,
        rig.session(0) as caller,
        other.session(0) as neighbour,
    ):
        caller.program(HELLO)
        neighbour.program(HELLO)
        for start in range(0, INPUTS, 500):
            with rig.session(0) as sender:
                for number in range(start, start + 500):
                    sender.data(b"x", number)
        guest = guest_of(rig.isolate.process_id)
        os.kill(guest, signal.SIGSTOP)
        caller.connection.send_frame(runtime.REQUEST.encode(runtime.GetResult()))
        assert neighbour.result()[1] == expected
        assert hello(maker) == expected
        answer = caller.next_answer()
        assert isinstance(answer, runtime.Refused)
        assert answer.reason is runtime.RefusalReason.GUEST_LOST
        assert hello(maker) == expected
        assert not rig.isolate.ended.is_set()


def a_launch_fails_alone(maker: RigMaker) -> str:
    """Why one failed while the zygote could pass nothing on; what ran goes on, and the next works.

    The zygote's soft limit is to be 1024, and this process of the same user may have more.
    """
    soft, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    policy = maker.policy([(new_party("only"), ALONE[0])], program=HELLO)
    flood, unread = socket.socketpair()
    with flood, unread, maker.computation(ALONE, program=HELLO) as before:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        for _ in range(6):
            socket.send_fds(flood, [b"\0"], [0] * 200)
        try:
            maker.launcher.launch(policy)
            why = "it did not"
        except LaunchError as error:
            why = str(error)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, most))
        unread.close()
        hello(maker)
        assert not before.isolate.ended.is_set()
    return why
