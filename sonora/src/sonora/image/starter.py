"""Starting the zygote out of an image: run in a process of its own, which ends when it has.

    starter: copy, read-only ─▶ check ─▶ new namespaces ─▶ the copy is the root of all
        └─clone─▶ the image's interpreter as the zygote, pid 1 of its namespace

What is checked is the copy, which nobody else can reach: whatever happens to the folder it came
from, then or later, the zygote and its isolates load what the manifest names. Where the kernel
gives no namespaces the copy is made in a folder, which is removed as soon as everything is loaded;
it is as safe from others as a folder of this user is.

Nobody can look into it on the way either, not even another process of the same user, who owns the
user namespaces that are made here and so has every power in them (user_namespaces(7)):

- Starter and zygote are executed from files that nobody may read (`unreadable`): such a process is
  closed to others from its first instruction.
- A process that is executed in a user namespace is open to the owner of that all the same, unless
  the namespace does not map the group of the file that was executed. So ids are mapped only after
  the zygote was executed.
- The copy is made in another user namespace than the zygote's, since files need mapped ids.
- Who is closed cannot write its own maps. A child does it, open, with nothing in its hands.

The zygote becomes a child of the service and not of the starter, as which it would need somebody to
wait for it.
"""

import json
import os
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from enum import Enum
from pathlib import Path
from typing import Final, NoReturn

from mexico_city.sandbox.kernel import call
from sonora.errors import SonoraError
from sonora.image import kernel_calls as kernel
from sonora.image.layout import ImageLayout
from sonora.process import protect_this_process
from veracruz_image import Manifest, check, copy, open_folder
from veracruz_utils.errors import VeracruzError

_SLACK_BYTES: Final = 4 * 1024 * 1024
"""For the folders and links of an image, and what is more in it than its manifest says."""
_SAID_BYTES: Final = 4096
_ZYGOTE: Final = (
    "from sonora.zygote import main; main(int(sys.argv[2]), bytes.fromhex(sys.argv[3]))"
)


class NamespacesBy(Enum):
    """How this process can have namespaces of its own."""

    USER = "in a user namespace"
    """The zygote has no power over the machine then, even if root started it."""
    ROOT = "as root"
    NONE = "not at all"


def main(image: str, place: str, channel: str) -> NoReturn:
    """Start the zygote, and print a JSON object that says how.

    Args:
        image: the image's root folder; its manifest comes on standard input.
        place: an empty folder of ours: where it is copied to.
        channel: the descriptor of the zygote's channel.
    """
    try:
        protect_this_process()
        manifest = Manifest.parse(sys.stdin.buffer.read())
        means = _means_of_this_host()
        with _copied(image, place, manifest, means) as root:
            check(root, manifest, what=image)
            layout = ImageLayout.of(manifest)
            # Out of the copy, once that is checked.
            found = os.open(layout.loader, os.O_RDONLY | os.O_CLOEXEC, dir_fd=root)
            loader = kernel.unreadable(found)
            null = os.open(os.devnull, os.O_RDWR)  # there is none in an image
            apart = means is not NamespacesBy.NONE
            prefix = "" if apart else place
            command = layout.command(prefix, _ZYGOTE, channel, str(manifest.measurement))

            def start() -> int:
                return _start(command, loader, null)

            zygote = _start_apart(start, root, place, means) if apart else start()
        answer: dict[str, object] = {"process_id": zygote, "own_root": apart}
    except (VeracruzError, OSError) as error:
        answer = {"error": str(error)}
    sys.stdout.write(json.dumps(answer))
    sys.exit(0)


def _means_of_this_host() -> NamespacesBy:
    for means in (NamespacesBy.USER, NamespacesBy.ROOT):
        # Tried in another process: with half of it we could not go on the other way.
        process_id = os.fork()
        if process_id == 0:
            with suppress(OSError):
                os.close(_make_file_system(means, {}))
                _enter(means)
                os._exit(0)
            os._exit(1)
        if os.waitpid(process_id, 0)[1] == 0:
            return means
    return NamespacesBy.NONE


def _enter(means: NamespacesBy) -> Callable[[], None]:
    """Enter all namespaces; what is to be called once something was executed in them."""
    # By itself: in the pid namespace the first child is number 1, which is to be the zygote.
    map_ids = kernel.enter_user_namespace() if means is NamespacesBy.USER else _map_nothing
    call("unshare", kernel.APART)
    kernel.keep_mounts_apart()
    return map_ids


def _map_nothing() -> None:
    """Root is who it is."""


def _start_apart(start: Callable[[], int], root: int, place: str, means: NamespacesBy) -> int:
    map_ids = _enter(means)
    kernel.make_root(root, place)
    if means is NamespacesBy.USER:
        kernel.keep_powers()
    zygote = start()
    map_ids()
    return zygote


@contextmanager
def _copied(image: str, place: str, manifest: Manifest, means: NamespacesBy) -> Iterator[int]:
    """The copy's open root: of a file system of its own, or of the folder `place`."""
    if means is NamespacesBy.NONE:
        with open_folder(Path(image)) as source, open_folder(Path(place)) as root:
            copy(source, root)
            yield root
        return
    mount = _copy_apart(image, manifest, means)
    try:
        # The descriptor of a file system without a place keeps it, and lists nothing.
        root = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=mount)
        try:
            yield root
        finally:
            os.close(root)
    finally:
        os.close(mount)


def _copy_apart(image: str, manifest: Manifest, means: NamespacesBy) -> int:
    """A file system with a copy of the image, read-only and mounted nowhere."""
    ours, theirs = socket.socketpair()
    process_id = os.fork()
    if process_id == 0:
        _be_copier(image, manifest, means, theirs)
    theirs.close()
    with ours:
        said, mounts, _, _ = socket.recv_fds(ours, _SAID_BYTES, 1)
    os.waitpid(process_id, 0)
    if not mounts:
        raise SonoraError(said.decode("utf-8", "replace") or "the image could not be copied")
    return mounts[0]


def _be_copier(
    image: str, manifest: Manifest, means: NamespacesBy, channel: socket.socket
) -> NoReturn:
    try:
        size = manifest.content_bytes + 4096 * len(manifest.entries) + _SLACK_BYTES
        inodes = 2 * len(manifest.entries) + 16
        options = {"mode": "755", "size": str(size), "nr_inodes": str(inodes)}
        # Before the namespaces: the folder may be one that our number in them cannot enter.
        with open_folder(Path(image)) as source:
            mount = _make_file_system(means, options)
            copy(source, mount)
        kernel.make_read_only(mount)
        socket.send_fds(channel, [b"x"], [mount])
    except (VeracruzError, OSError) as error:
        channel.send(str(error).encode()[:_SAID_BYTES])
    finally:
        os._exit(0)


def _make_file_system(means: NamespacesBy, options: Mapping[str, str]) -> int:
    """An empty one, by namespaces that this process enters for it."""
    if means is NamespacesBy.USER:
        map_ids = kernel.enter_user_namespace(kernel.NEWNS)
        map_ids()
    return kernel.empty_file_system(options)


def _start(command: list[str], loader: int, null: int) -> int:
    """Start the zygote; its process id, as our parent sees it, once it was executed."""
    executed, executing = os.pipe2(os.O_CLOEXEC)
    process_id = kernel.fork_sibling()
    if process_id == 0:
        try:
            os.dup2(null, 0)
            os.dup2(null, 1)
            # LD_PRELOAD and the like of anybody's environment would run in what was measured.
            os.execve(loader, command, {})  # noqa: S606 - the image's loader
        finally:
            os._exit(1)
    os.close(executing)
    os.read(executed, 1)  # its end: the other holder was executed, or is gone
    os.close(executed)
    return process_id
