"""Puts together what a machine image is made of, from a lock and wheels."""

import tempfile
import zipfile
from collections.abc import Callable
from importlib.metadata import version
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import Final

import zstandard

from sonora.image.elf import MAGIC, NativeFile
from sonora_machine.errors import MachineError
from sonora_machine.guest.init import RUNTIME, SINALOA, SONORA
from sonora_machine.image import modules
from sonora_machine.image.archives import PACKAGES, add_debian, add_wheel, read_debian
from sonora_machine.image.cpio import write_cpio
from sonora_machine.image.fetch import PackageCache
from sonora_machine.image.lock import MachineLock
from sonora_machine.image.resolve import KERNEL, STUB
from sonora_machine.image.tree import Tree
from veracruz_image import MANIFEST, ROOT, read_manifest, unpack
from veracruz_image.entries import ImageFile, ImageFolder, ImageLink
from veracruz_shells.files import read_file
from veracruz_utils.frozen import frozen

_OURS: Final = (
    "baja", "colima", "execution_engine", "image", "mexico_city", "platform_services",
    "psa_attestation", "runtime_image", "shells", "sinaloa", "sonora", "utils",
)  # fmt: skip
"""The wheels of ours that a machine has."""
_LEVEL: Final = 9
_PYTHON: Final = "usr/bin/python3.13"
_STUB_PATH: Final = "usr/lib/systemd/boot/efi/linuxx64.efi.stub"
_MAX_WHEEL_BYTES: Final = 256 * 1024 * 1024
_INIT: Final = """#!/usr/bin/python3.13 -I
from sonora_machine.guest.init import main

main()
"""
_DHCP_CLIENT: Final = "dhcpcd"
_NO_HOME: Final = "/mnt"
"""An empty folder: the DHCP client, when it has given up root, makes it its root."""
_USERS: Final = ((SONORA, 100), (SINALOA, 101), (_DHCP_CLIENT, 102))


@frozen
class BuiltWheel:
    """One of our own wheels: its file's name, and its content."""

    name: str
    data: bytes


@frozen
class MachineParts:
    """What a unified kernel image is made of.

    Attributes:
        stub: what the firmware starts; it measures and starts the rest.
        kernel: Linux.
        initramfs: the machine's files, a compressed archive.
        command_line: the kernel's.
        release: what the image is called, `os-release`.
        kernel_release: of the kernel, as `uname -r` has it.
        runtime: the runtime image's measurement, hexadecimal.
        wheels: our own wheels in it.
    """

    stub: bytes
    kernel: bytes
    initramfs: bytes
    command_line: str
    release: str
    kernel_release: str
    runtime: str
    wheels: tuple[BuiltWheel, ...]


STEPS: Final = 4
"""How often a build says that it got further, besides once for each package of Debian."""


def build_parts(
    lock: MachineLock,
    cache: PackageCache,
    *,
    wheels: Path,
    command_line: str,
    policy: bytes | None = None,
    on_step: Callable[[], None] = lambda: None,
) -> MachineParts:
    """Fetch what the lock names and put it together.

    Args:
        lock: packages of others.
        cache: where they come from.
        wheels: a folder with ours.
        command_line: the kernel's, whole.
        policy: a global policy to build in; without one it is handed in at the start.
        on_step: called after each package of Debian, and `STEPS` times.

    Raises:
        MachineUnreachableError: something cannot be fetched.
        MachineError: something is missing, or is not what it should be.
    """
    ours = _own_wheels(wheels)
    tree = Tree()
    _add_system(tree)
    stub = kernel = None
    for package in lock.debian:
        data = cache.debian(package, lock.mirrors[package.archive])
        if package.name.startswith(KERNEL):
            kernel = _add_kernel(tree, package.name, data, lock.kernel)
        elif package.name == STUB:
            stub = _only(package.name, data, _STUB_PATH)
        else:
            add_debian(tree, package.name, data)
        on_step()
    if stub is None or kernel is None:
        raise MachineError(f"the lock names no {STUB}, or no {KERNEL}…")
    for name, data in sorted(cache.wheels(lock).items()):
        add_wheel(tree, name, data)
    on_step()
    runtime = _add_own(tree, ours)
    if policy is not None:
        tree.file("etc/veracruz/policy.json", policy)
    on_step()
    _check_libraries(tree)
    initramfs = zstandard.ZstdCompressor(level=_LEVEL, threads=0).compress(write_cpio(tree))
    on_step()
    return MachineParts(
        stub=stub,
        kernel=kernel,
        initramfs=initramfs,
        command_line=command_line,
        release=_release(),
        kernel_release=lock.kernel,
        runtime=runtime,
        wheels=ours,
    )


def _add_system(tree: Tree) -> None:
    """What is of no package: folders to mount on, the two users, the first process."""
    for name in ("dev", "mnt", "proc", "run", "sys", "tmp", "var"):
        tree.folder(name)
    # Before devtmpfs is mounted the first process writes here.
    tree.character_device("dev/console", 5, 1, permissions=0o600)
    tree.character_device("dev/null", 1, 3, permissions=0o666)
    # Python begins with random bytes for its tables; a processor without an instruction for them
    # has collected too few by then for the system call. Keys are made later, by that.
    tree.character_device("dev/urandom", 1, 9, permissions=0o444)
    for name in ("bin", "lib", "lib64", "sbin"):
        tree.link(name, f"usr/{name}")
    rows = [("root", 0), *_USERS]
    tree.file(
        "etc/passwd",
        "".join(f"{name}:x:{uid}:{uid}::{_NO_HOME}:{_NO_HOME}\n" for name, uid in rows).encode(),
    )
    tree.file("etc/group", "".join(f"{name}:x:{uid}:\n" for name, uid in rows).encode())
    tree.file("etc/dhcpcd.conf", b"# what it takes to ask for an address is on its command line\n")
    tree.file("etc/hosts", b"127.0.0.1 localhost\n::1 localhost\n")
    tree.file("etc/os-release", _release().encode())
    tree.file("init", _INIT.encode(), executable=True)
    for path in files("sonora_machine").joinpath("guest").iterdir():
        if path.name.endswith(".py"):
            tree.file(f"{PACKAGES}sonora_machine/guest/{path.name}", path.read_bytes())
    tree.file(f"{PACKAGES}sonora_machine/__init__.py", b"")


def _add_kernel(tree: Tree, name: str, data: bytes, release: str) -> bytes:
    """The kernel; those of its modules that the machine loads go into the tree, in order."""
    kernel, builtin = f"boot/vmlinuz-{release}", f"usr/lib/modules/{release}/modules.builtin"
    found = {
        member.path: member.data
        for member in read_debian(
            name, data, wanted=lambda path: modules.is_module(path) or path in {kernel, builtin}
        )
    }
    for path in (kernel, builtin):
        if path not in found:
            raise MachineError(f"{name} has no {path}: is the lock's kernel its release?")
    every = {path: content for path, content in found.items() if modules.is_module(path)}
    ordered = modules.KernelModules(every, found[builtin].decode()).ordered()
    for number, (module, content) in enumerate(ordered):
        tree.file(f"{modules.FOLDER}{number:02}-{module}.ko.xz", content)
    return found[kernel]


def _only(name: str, data: bytes, path: str) -> bytes:
    for member in read_debian(name, data, wanted=lambda each: each == path):
        return member.data
    raise MachineError(f"{name} has no {path}")


def _own_wheels(folder: Path) -> tuple[BuiltWheel, ...]:
    found = []
    for name in _OURS:
        matches = sorted(folder.glob(f"veracruz_{name}-*.whl"))
        if len(matches) != 1:
            what = "no wheel" if not matches else "more than one wheel"
            raise MachineError(
                f"{folder} has {what} veracruz_{name}-*.whl: in a checkout, `make wheels`"
            )
        data = read_file(matches[0], limit=_MAX_WHEEL_BYTES, what="wheel")
        found.append(BuiltWheel(matches[0].name, data))
    return tuple(found)


def _add_own(tree: Tree, wheels: tuple[BuiltWheel, ...]) -> str:
    """Our wheels; the runtime image is laid out, so that nothing unpacks it in the machine."""
    runtime = ""
    for wheel in wheels:
        if wheel.name.startswith("veracruz_runtime_image"):
            runtime = _add_runtime(tree, wheel)
        else:
            add_wheel(tree, wheel.name, wheel.data)
    return runtime


def _add_runtime(tree: Tree, wheel: BuiltWheel) -> str:
    place = RUNTIME.removeprefix("/")
    with tempfile.TemporaryDirectory(prefix="veracruz-machine-") as draft:
        archive, folder = Path(draft) / "image.tar.xz", Path(draft) / "image"
        try:
            with zipfile.ZipFile(BytesIO(wheel.data)) as opened:
                archive.write_bytes(opened.read("veracruz_runtime_image/image.tar.xz"))
        except (KeyError, zipfile.BadZipFile) as error:
            raise MachineError(f"{wheel.name} brings no runtime image: {error}") from None
        unpack(archive, folder)
        manifest = read_manifest(folder)
        tree.file(f"{place}/{MANIFEST}", manifest.text)
        for path, entry in manifest.entries.items():
            inner = f"{place}/{ROOT}/{path}"
            match entry:
                case ImageFolder():
                    tree.folder(inner)
                case ImageLink():
                    tree.link(inner, entry.target)
                case ImageFile():
                    executable = entry.mode == 0o755
                    tree.file(inner, (folder / ROOT / path).read_bytes(), executable=executable)
    return str(manifest.measurement)


def _check_libraries(tree: Tree) -> None:
    """Every library that a native file needs is there: nobody resolves packages at the start."""
    there = tree.names()
    if "python3.13" not in there:
        raise MachineError(f"no package of the lock brings {_PYTHON}")
    for path, data in tree.files():
        if data[:4] != MAGIC or path.startswith(RUNTIME.removeprefix("/")):
            continue
        missing = sorted(set(NativeFile.parse(data).needed) - there)
        if missing:
            raise MachineError(f"{path} needs {', '.join(missing)}, which no package brings")


def _release() -> str:
    own = version("veracruz-machine")
    return f'ID=veracruz\nNAME="Veracruz"\nPRETTY_NAME="Veracruz {own}"\nVERSION_ID="{own}"\n'
