"""Into the sandbox: its layers in the order that makes each of them hold.

    zygote ──fork──▶ `enter` ──fork──▶ keeper: `enter_keeper` ──fork──▶ guest: `enter_guest` ...
                        └────────────▶ front: `enter_front`             compiled: `settle_guest`

All of it comes before there is a key, an input or even a policy. What the host does not give is
left out and missing in what these return, which Sonora is told and vouches for; what should have
worked and did not is an error, and the isolate does not start.
"""

import sys
from collections.abc import Collection

from mexico_city.sandbox import (
    descriptors,
    failures,
    landlock,
    limits,
    loading,
    namespaces,
    privileges,
    seccomp,
)
from veracruz_utils.policy import IsolationLayer


def settle(*, keep: Collection[int], parent: int) -> None:
    """Give up what is not this process's own; for programs run where nobody is to be walled in.

    Args:
        keep: the descriptors to keep besides standard error.
        parent: the process id of the process whose end must be ours too.

    Raises:
        RuntimeFailure: the parent is gone already.
        OSError: the kernel refuses.
    """
    descriptors.close_all_but(keep)
    descriptors.give_up_standard_streams()
    privileges.end_with(parent)
    privileges.gain_none()
    privileges.keep_others_out()
    limits.bound_process(alone=False)
    _speak_of_nothing()


def enter(*, keep: Collection[int], parent: int) -> frozenset[IsolationLayer]:
    """Wall in a process that the zygote forked; the layers that are in force.

    Standard input and output are the zygote's, /dev/null of the outside.

    Args:
        keep: the descriptors to keep besides the standard ones.
        parent: the process id of the zygote.

    Raises:
        RuntimeFailure: the zygote is gone already.
        OSError: the kernel refuses what it always gives.
    """
    # Descriptors first: a channel of another isolate must not be open while anything else is done.
    descriptors.close_all_but(keep)
    # While this process still may: those below take from it what entering namespaces needs.
    apart = namespaces.enter()
    # Later than the namespaces, which may undo both.
    privileges.end_with(parent)
    privileges.keep_others_out()
    limits.bound_process(alone=apart)
    powerless = privileges.drop_capabilities()
    privileges.gain_none()  # without which neither Landlock nor seccomp is to be had
    fenced = landlock.enter()
    _speak_of_nothing()
    return frozenset(
        {
            IsolationLayer.NO_NEW_PRIVILEGES,
            IsolationLayer.NOT_DUMPABLE,
            *[IsolationLayer.NAMESPACES] * apart,
            # Elsewhere nothing bounds its processes: they count together with the user's others.
            *[IsolationLayer.LIMITS] * apart,
            *[IsolationLayer.CAPABILITIES] * powerless,
            *[IsolationLayer.LANDLOCK] * fenced,
        }
    )


def enter_front() -> frozenset[IsolationLayer]:
    """Leave the front process, which has forked its keeper, what it needs; what that adds."""
    return frozenset([IsolationLayer.SECCOMP] * seccomp.confine_front())


def enter_keeper(*, keep: Collection[int], parent: int) -> None:
    """Leave the keeper process, forked from one that has entered, what it and guests need.

    What the host does not give it did not give the front either, which reports it.

    Raises:
        RuntimeFailure: the front is gone already.
        OSError: the kernel refuses what it gave the front.
    """
    descriptors.close_all_but(keep)
    privileges.end_with(parent)
    failures.mute_libraries()
    # A domain of its own inside the front's: neither it nor a guest must signal the front.
    landlock.enter()
    seccomp.confine_keeper()


def enter_guest(*, keep: Collection[int], parent: int) -> None:
    """Leave a guest process, forked by the keeper, less than that keeps.

    Raises:
        RuntimeFailure: the keeper is gone already.
        OSError: the kernel refuses what it gave the keeper.
    """
    descriptors.close_all_but({*keep, sys.stderr.fileno()})
    privileges.end_with(parent)
    # Inside the keeper's, for the same reason.
    landlock.enter()
    seccomp.confine_guest()


def settle_in(*, keep: Collection[int]) -> None:
    """Leave a process that has entered, and is to compile without anybody's secrets, a guest's.

    Raises:
        OSError: the kernel refuses what it gives guests.
    """
    descriptors.close_all_but({*keep, sys.stderr.fileno()})
    landlock.enter()
    seccomp.confine_guest()


def settle_guest() -> None:
    """Take from the guest process, whose program is compiled, what only compiling needed."""
    seccomp.forbid_executable_memory()


def _speak_of_nothing() -> None:
    loading.refuse_modules()
    failures.report_kinds_only()
