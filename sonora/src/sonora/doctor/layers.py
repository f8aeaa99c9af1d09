"""The layers of isolation, each tried as the start of an isolate does it.

Every attempt is made in a child of its own, in namespaces of its own where it mounts something, and
is gone with it. A version number says what a kernel could do; only the attempt says what this
machine, with its security modules and its container around us, lets us do.
"""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from mexico_city.sandbox import kernel, landlock, limits, namespaces, privileges, seccomp
from sonora.doctor.findings import FindingState, HostFinding
from sonora.doctor.throwaway import Unable, attempt
from sonora.image import kernel_calls
from sonora.users import ROOT
from veracruz_utils.policy import IsolationLayer

_NEWNS: Final = 0x00020000
_NEWCGROUP: Final = 0x02000000
_NEWUTS: Final = 0x04000000
_NEWIPC: Final = 0x08000000
_NEWPID: Final = 0x20000000
_NEWNET: Final = 0x40000000
_NAMESPACES: Final = {
    "mount": _NEWNS,
    "pid": _NEWPID,
    "net": _NEWNET,
    "ipc": _NEWIPC,
    "uts": _NEWUTS,
    "cgroup": _NEWCGROUP,
}
_APART: Final = _NEWNS | _NEWPID | _NEWNET | _NEWIPC | _NEWUTS | _NEWCGROUP
_LANDLOCK_CREATE: Final = 444
_LANDLOCK_WHOLE: Final = 6
"""The version from which Landlock also closes abstract sockets and signals."""

_SYSCTLS: Final = Path("/proc/sys")
# What stops user namespaces, by the file that says so: what it says then, and how to mend it.
_SWITCHES: Final = {
    "kernel/apparmor_restrict_unprivileged_userns": (
        "1",
        "sysctl kernel.apparmor_restrict_unprivileged_userns=0, or a profile with 'userns,'",
    ),
    "kernel/unprivileged_userns_clone": ("0", "sysctl kernel.unprivileged_userns_clone=1"),
    "user/max_user_namespaces": ("0", "sysctl user.max_user_namespaces=15000"),
}


def try_layers() -> tuple[HostFinding, ...]:
    """A finding for each layer, and for what the first of them rest on."""
    apart = _other_namespaces()
    return (
        _user_namespaces(),
        apart,
        _image_root(),
        _capabilities(),
        _tried(
            "no new privileges",
            IsolationLayer.NO_NEW_PRIVILEGES,
            privileges.gain_none,
            "Whatever is executed gives an isolate no privilege that it does not have.",
            "use a kernel from 3.5 on",
        ),
        _tried(
            "not dumpable",
            IsolationLayer.NOT_DUMPABLE,
            _be_closed_to_others,
            "Other processes of Sonora's user cannot read or trace an isolate.",
            "look for what changes fs.suid_dumpable or the rights to /proc",
        ),
        _limits(alone=apart.state is FindingState.GOOD),
        _landlock(),
        _tried(
            "seccomp filter",
            IsolationLayer.SECCOMP,
            _install_filter,
            "An isolate can make only the system calls of a list.",
            "use a kernel with CONFIG_SECCOMP_FILTER, and a container that allows seccomp",
        ),
    )


def layers_of_this_host() -> frozenset[IsolationLayer]:
    """The layers that this host gives."""
    return frozenset(
        each.layer
        for each in try_layers()
        if each.layer is not None and each.state is FindingState.GOOD
    )


def _tried(
    name: str,
    layer: IsolationLayer | None,
    act: Callable[[], str | None],
    means: str,
    remedy: str,
) -> HostFinding:
    done, said = attempt(act)
    if done:
        return HostFinding(name, FindingState.GOOD, said or "yes", means, layer=layer)
    return HostFinding(name, FindingState.MISSING, said, means, remedy, layer)


def _user_namespaces() -> HostFinding:
    return _tried(
        "user namespaces",
        None,
        _use_user_namespace,
        "By them an unprivileged Sonora gives isolates a root and namespaces of their own.",
        _switch_remedy(),
    )


def _other_namespaces() -> HostFinding:
    lacking = [
        name for name, flag in _NAMESPACES.items() if not attempt(partial(_unshare, flag))[0]
    ]
    means = "An isolate sees no process, mount, network, queue or host name but its own."
    layer = IsolationLayer.NAMESPACES
    if lacking:
        found = f"no namespace of its own for: {', '.join(lacking)}"
        return HostFinding(
            "namespaces", FindingState.MISSING, found, means, _switch_remedy(), layer
        )
    return _tried("namespaces", layer, _fork_as_a_zygote, means, _switch_remedy())


def _limits(*, alone: bool) -> HostFinding:
    name, layer = "limits", IsolationLayer.LIMITS
    means = "An isolate is bounded in memory, files and processes by the kernel."
    if not alone:
        found = "without namespaces nothing bounds its processes"
        return HostFinding(name, FindingState.MISSING, found, means, _switch_remedy(), layer)
    remedy = "give Sonora the right to lower its limits (setrlimit, prlimit64)"
    return _tried(name, layer, _set_limits, means, remedy)


def _image_root() -> HostFinding:
    return _tried(
        "root of its own",
        IsolationLayer.IMAGE_ROOT,
        _take_another_root,
        "The root of an isolate is a checked, read-only copy of the runtime image, and no more.",
        _switch_remedy(),
    )


def _capabilities() -> HostFinding:
    return _tried(
        "capabilities",
        IsolationLayer.CAPABILITIES,
        _drop_capabilities,
        "An isolate has no capability and can gain none.",
        _switch_remedy(),
    )


def _landlock() -> HostFinding:
    means = "A second fence, beside the root: no file, port, abstract socket or foreign process."
    layer, name = IsolationLayer.LANDLOCK, "Landlock"
    done, said = attempt(_enter_landlock)
    if not done:
        remedy = "use a kernel from 5.13 on with landlock in its list of modules (lsm=landlock,...)"
        return HostFinding(name, FindingState.MISSING, said, means, remedy, layer)
    version = int(said)
    if version < _LANDLOCK_WHOLE:
        said = f"version {version}: files, but not all of ports, abstract sockets and signals"
        return HostFinding(name, FindingState.GOOD, said, means, layer=layer)
    return HostFinding(name, FindingState.GOOD, f"version {version}", means, layer=layer)


def _switch_remedy() -> str:
    for name, (closed, remedy) in _SWITCHES.items():
        try:
            if (_SYSCTLS / name).read_text("ascii").strip() == closed:
                return remedy
        except OSError:
            continue
    return (
        "if this is a container, let it make user namespaces and mount in them "
        "(for Docker: --security-opt seccomp=FILE, --security-opt apparmor=unconfined)"
    )


def _unshare(flags: int) -> None:
    """Enter namespaces, in a user namespace or else, as root may, without one."""
    try:
        _unshare_as_user(flags)
    except OSError:
        kernel.call("unshare", flags)


def _unshare_as_user(flags: int) -> None:
    map_ids = kernel_calls.enter_user_namespace()
    map_ids()
    if flags:
        kernel.call("unshare", flags)


def _use_user_namespace() -> None:
    _unshare_as_user(_APART)
    _mount_privately()


def _mount_privately() -> None:
    """Use a power that namespaces are to give: some hosts give only their names."""
    # First: nothing that is mounted from here on may turn up outside.
    kernel_calls.keep_mounts_apart()
    kernel.call("mount", b"tmpfs", b"/tmp", b"tmpfs", 0, b"size=64k")


def _fork_as_a_zygote() -> None:
    """Be a zygote, number 1 of its pid namespace, that forks an isolate into one of its own."""
    _unshare(_APART)
    _require_child(_fork_an_isolate)


def _fork_an_isolate() -> None:
    own = os.pidfd_open(os.getpid())
    process_id = namespaces.fork_apart(own)
    if process_id == 0:
        os._exit(0 if namespaces.enter() else 1)
    _, status = os.waitpid(process_id, 0)
    if status != 0:
        raise Unable("an isolate cannot enter namespaces of its own inside those of the zygote")


def _require_child(act: Callable[[], None]) -> None:
    done, said = attempt(act)
    if not done:
        raise Unable(said)


def _take_another_root() -> None:
    _unshare(_NEWNS)
    kernel_calls.keep_mounts_apart()
    mount = kernel_calls.empty_file_system({"size": "64k"})
    os.mkdir("probe", dir_fd=mount)
    kernel_calls.make_read_only(mount)
    kernel_calls.make_root(mount, "/tmp")  # noqa: S108 - any folder, of this child's own view
    if os.listdir("/") != ["probe"]:  # noqa: PTH208 - pathlib would load a module from a lost root
        raise Unable("another root than the one that was made")


def _drop_capabilities() -> None:
    try:
        _unshare_as_user(0)
    except OSError:
        if os.geteuid() != ROOT:
            raise
    if not privileges.drop_capabilities():
        raise Unable("the bounding set cannot be emptied")


def _be_closed_to_others() -> str | None:
    privileges.keep_others_out()
    if os.geteuid() == ROOT:
        return "yes, for all but root, which Sonora is here"
    ours = os.getpid()

    def open_memory() -> None:
        os.close(os.open(f"/proc/{ours}/mem", os.O_RDONLY))

    if attempt(open_memory)[0]:
        raise Unable("another process of this user can open its memory all the same")
    return None


def _set_limits() -> None:
    limits.bound_process(alone=False)
    limits.bound_files(files=64, file_bytes=0)
    limits.bound_front_memory()


def _enter_landlock() -> str:
    version = kernel.system_call(_LANDLOCK_CREATE, None, 0, 1)
    privileges.gain_none()
    if landlock.enter() and not _opens("/proc/self/status"):
        return str(version)
    raise Unable("a file was opened that it should have kept closed")


def _install_filter() -> None:
    privileges.gain_none()
    if not seccomp.confine_guest():
        raise Unable(f"not on {os.uname().machine}, or not by this kernel")
    if _opens("/proc/self/status"):
        raise Unable("a system call was made that it should have refused")


def _opens(path: str) -> bool:
    try:
        os.close(os.open(path, os.O_RDONLY))
    except OSError:
        return False
    return True
