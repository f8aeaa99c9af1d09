"""Starting the zygote out of an image: run in a process of its own, which ends when it has.

    starter: new namespaces ─▶ private file system ─▶ copy ─▶ read-only ─▶ check ─▶ root of all
        └─clone─▶ the image's interpreter as the zygote, pid 1 of its namespace

What is checked is the copy, which nobody else can reach: whatever happens to the folder it came
from, then or later, the zygote and its isolates load what the manifest names. Where the kernel
gives no namespaces the copy is made in a folder, which is removed as soon as everything is loaded;
it is as safe from others as a folder of this user is.

The zygote becomes a child of the service and not of the starter, as which it would need somebody to
wait for it.
"""

import ctypes
import json
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final, NoReturn

from sonora.image.layout import ImageLayout
from veracruz_image import Manifest, check, copy, open_folder
from veracruz_utils.errors import VeracruzError

_CLONE_PARENT: Final = 0x00008000
_NEWNS: Final = 0x00020000
_NEWCGROUP: Final = 0x02000000
_NEWUTS: Final = 0x04000000
_NEWIPC: Final = 0x08000000
_NEWUSER: Final = 0x10000000
_NEWPID: Final = 0x20000000
_NEWNET: Final = 0x40000000
_APART: Final = _NEWNS | _NEWCGROUP | _NEWUTS | _NEWIPC | _NEWPID | _NEWNET
_MS_RDONLY: Final = 0x1
_MS_NOSUID: Final = 0x2
_MS_NODEV: Final = 0x4
_MS_REMOUNT: Final = 0x20
_MS_REC: Final = 0x4000
_MS_PRIVATE: Final = 0x40000
_MNT_DETACH: Final = 0x2
_SYSTEM_CALLS: Final = {"x86_64": (56, 155), "aarch64": (220, 41)}
"""The numbers of clone and pivot_root."""
_SLACK_BYTES: Final = 4 * 1024 * 1024
"""For the folders and links of an image, and what is more in it than its manifest says."""
_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_LIBC.syscall.restype = ctypes.c_long
_READ_ONLY: Final = _MS_RDONLY | _MS_NOSUID | _MS_NODEV
_ZYGOTE: Final = (
    "from sonora.zygote import main; main(int(sys.argv[2]), bytes.fromhex(sys.argv[3]))"
)


def main(image: str, place: str, channel: str) -> NoReturn:
    """Start the zygote, and print a JSON object that says how.

    Args:
        image: the image's root folder; its manifest comes on standard input.
        place: an empty folder of ours: where it is copied to.
        channel: the descriptor of the zygote's channel.
    """
    try:
        manifest = Manifest.parse(sys.stdin.buffer.read())
        with open_folder(Path(image)) as source:
            apart = _enter(place, manifest)
            with open_folder(Path(place)) as root:
                copy(source, root)
                if apart:
                    _mount(None, place, None, _READ_ONLY | _MS_REMOUNT)
                check(root, manifest, what=image)
        null = os.open(os.devnull, os.O_RDWR)  # there is none in an image
        if apart:
            _make_root(place)
        prefix, measurement = "" if apart else place, str(manifest.measurement)
        command = ImageLayout.of(manifest).command(prefix, _ZYGOTE, channel, measurement)
        zygote = _clone(command, null)
        answer: dict[str, object] = {"process_id": zygote, "own_root": apart}
    except (VeracruzError, OSError) as error:
        answer = {"error": str(error)}
    sys.stdout.write(json.dumps(answer))
    sys.exit(0)


def _enter(place: str, manifest: Manifest) -> bool:
    """Enter namespaces of our own, with an empty file system at `place`, if the kernel lets us.

    With a user namespace the zygote has no power over the machine even if root started it; without
    one it takes root to make the others.
    """
    for flags in (_NEWUSER | _APART, _APART):
        # Tried in another process: with half of it we could not go on the other way.
        if _succeeds(flags, place, manifest):
            _try(flags, place, manifest)
            return True
    return False


def _succeeds(flags: int, place: str, manifest: Manifest) -> bool:
    process_id = os.fork()
    if process_id == 0:
        with suppress(BaseException):
            _try(flags, place, manifest)
            os._exit(0)
        os._exit(1)
    return os.waitpid(process_id, 0)[1] == 0


def _try(flags: int, place: str, manifest: Manifest) -> None:
    user, group = os.geteuid(), os.getegid()
    _call("unshare", flags)
    if flags & _NEWUSER:
        Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1", encoding="ascii")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1", encoding="ascii")
    # What is mounted in here must not turn up outside, nor the other way round.
    _mount(None, "/", None, _MS_REC | _MS_PRIVATE)
    size = manifest.content_bytes + 4096 * len(manifest.entries) + _SLACK_BYTES
    inodes = 2 * len(manifest.entries) + 16
    options = f"mode=755,size={size},nr_inodes={inodes}"
    _mount("tmpfs", place, "tmpfs", _MS_NOSUID | _MS_NODEV, options)


def _make_root(place: str) -> None:
    """Make the copy the root of everything; nothing of the old one stays within reach."""
    os.chdir(place)
    _, pivot_root = _SYSTEM_CALLS[os.uname().machine]
    _call("syscall", pivot_root, b".", b".")
    _call("umount2", b".", _MNT_DETACH)
    os.chdir("/")


def _clone(command: list[str], null: int) -> int:
    """Start the zygote as a sibling of this process; its process id, as our parent sees it."""
    clone, _ = _SYSTEM_CALLS[os.uname().machine]
    process_id = _call("syscall", clone, _CLONE_PARENT | signal.SIGCHLD, 0, 0, 0, 0)
    if process_id == 0:
        try:
            os.dup2(null, 0)
            os.dup2(null, 1)
            # LD_PRELOAD and the like of anybody's environment would run in what was measured.
            os.execve(command[0], command, {})  # noqa: S606 - the image's loader
        finally:
            os._exit(1)
    return process_id


def _mount(
    source: str | None, target: str, kind: str | None, flags: int, options: str | None = None
) -> None:
    texts = [None if each is None else os.fsencode(each) for each in (source, target, kind)]
    _call("mount", *texts, flags, None if options is None else options.encode())


def _call(name: str, *arguments: int | bytes | None) -> int:
    # Of full width each: a variadic function would read garbage above an int of 32 bits.
    given = [ctypes.c_ulong(each) if isinstance(each, int) else each for each in arguments]
    result = int(getattr(_LIBC, name)(*given))
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result
