"""Packages of Debian and wheels, made small: what a machine image is put together from in tests."""

import hashlib
import io
import json
import lzma
import struct
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from veracruz_image import MANIFEST, ROOT, Manifest, found_in, open_folder, write_archive


def deb(files: Mapping[str, bytes | str], *, executable: frozenset[str] = frozenset()) -> bytes:
    """A package with these files; a text is where a symbolic link leads."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:xz") as tar:
        for path, content in files.items():
            member = tarfile.TarInfo(f"./{path}")
            if isinstance(content, str):
                member.type, member.linkname = tarfile.SYMTYPE, content
                tar.addfile(member)
            else:
                member.size = len(content)
                member.mode = 0o755 if path in executable else 0o644
                tar.addfile(member, io.BytesIO(content))
    control = io.BytesIO()
    with tarfile.open(fileobj=control, mode="w:xz") as tar:
        text = b"Package: made\nVersion: 1\n"
        member = tarfile.TarInfo("./control")
        member.size = len(text)
        tar.addfile(member, io.BytesIO(text))
    return ar(
        {
            "debian-binary": b"2.0\n",
            "control.tar.xz": control.getvalue(),
            "data.tar.xz": data.getvalue(),
        }
    )


def ar(members: Mapping[str, bytes]) -> bytes:
    """An archive in the common format of `ar`."""
    pieces = [b"!<arch>\n"]
    for name, content in members.items():
        head = f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n"
        pieces += [head.encode(), content, b"\n" * (len(content) % 2)]
    return b"".join(pieces)


def wheel(files: Mapping[str, bytes]) -> bytes:
    """A wheel with these files."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as packed:
        for name, content in files.items():
            packed.writestr(name, content)
    return data.getvalue()


def native(*needed: str) -> bytes:
    """A native file of 64 bits that needs these libraries, and nothing besides."""
    strings = b"\0" + b"".join(name.encode() + b"\0" for name in needed)
    at, entries = 1, []
    for name in needed:
        entries.append(struct.pack("<QQ", 1, at))
        at += len(name) + 1
    start = 64 + 2 * 56
    dynamic = b"".join([*entries, struct.pack("<QQ", 5, start), struct.pack("<QQ", 0, 0)])
    whole = start + len(strings) + len(dynamic)
    head = struct.pack(
        "<4sBBB9xHHIQQQIHHHHHH", b"\x7fELF", 2, 1, 1, 3, 62, 1, 0, 64, 0, 0, 64, 56, 2, 0, 0, 0
    )
    load = struct.pack("<IIQQQQQQ", 1, 4, 0, 0, 0, whole, whole, 4096)
    place = start + len(strings)
    table = struct.pack("<IIQQQQQQ", 2, 4, place, place, place, len(dynamic), len(dynamic), 8)
    return head + load + table + strings + dynamic


def kernel_module(*needed: str) -> bytes:
    """A module of the kernel that needs these, compressed."""
    text = f"\0license=GPL\0depends={','.join(needed)}\0name=made\0"
    return lzma.compress(b"\x7fELF" + text.encode())


def _small_runtime(folder: Path) -> Path:
    """A runtime image with next to nothing in it."""
    programs = folder / ROOT / "usr/bin"
    programs.mkdir(parents=True)
    (programs / "python3.11").write_bytes(b"python")
    (folder / ROOT / "python").symlink_to("usr/bin/python3.11")
    for path in (folder / ROOT / "usr", programs, programs / "python3.11"):
        path.chmod(0o755)
    with open_folder(folder / ROOT) as root:
        (folder / MANIFEST).write_bytes(Manifest.of(found_in(root)).text)
    return folder


class SmallRelease:
    """All that an image takes, made small: packages in a folder, wheels in another, and a lock.

    Attributes:
        packages: a folder with packages of Debian and a wheel of others, by their own names.
        wheels: a folder with our wheels, the runtime image's among them.
        lock: a file that names them.
    """

    KERNEL = "6.12.1-made"

    def __init__(self, folder: Path, *, stub: bytes, modules: tuple[str, ...]) -> None:
        self.packages, self.wheels = folder / "packages", folder / "wheels"
        self.packages.mkdir()
        self.wheels.mkdir()
        self.lock = folder / "lock.json"
        self._debian: list[dict[str, object]] = []
        self._others: list[dict[str, object]] = []
        base = f"usr/lib/modules/{self.KERNEL}"
        self.add(
            f"linux-image-{self.KERNEL}",
            {
                f"boot/vmlinuz-{self.KERNEL}": b"kernel",
                f"{base}/modules.builtin": b"kernel/drivers/virtio/virtio.ko\n",
                **{f"{base}/kernel/{name}.ko.xz": kernel_module("virtio") for name in modules},
            },
        )
        self.add("systemd-boot-efi", {"usr/lib/systemd/boot/efi/linuxx64.efi.stub": stub})
        self.add(
            "python3.13-minimal",
            {
                "usr/bin/python3.13": native("libc.so.6"),
                "usr/bin/sh": b"a shell",
                "usr/lib/x86_64-linux-gnu/libc.so.6": native(),
                "usr/lib/x86_64-linux-gnu/libc.so": "libc.so.6",
                "usr/lib/python3.13/os.py": b"# os\n",
                "usr/lib/python3.13/lib-dynload/_sqlite3.so": native("libsqlite3.so.0"),
                "usr/share/doc/python/README": b"words",
                "etc/passwd": b"root:words",
            },
            executable=frozenset({"usr/bin/python3.13", "usr/bin/sh"}),
        )
        self.add_wheel(
            "other-1-py3-none-any.whl", {"other.py": b"# other\n", "other-1.dist-info/RECORD": b""}
        )
        for name in (
            "baja", "colima", "execution_engine", "image", "mexico_city", "platform_services",
            "psa_attestation", "shells", "sinaloa", "sonora", "utils",
        ):  # fmt: skip
            data = wheel({f"{name}/__init__.py": f"# {name}\n".encode()})
            (self.wheels / f"veracruz_{name}-0.1.0-py3-none-any.whl").write_bytes(data)
        image = folder / "image.tar.xz"
        with image.open("wb") as file:
            write_archive(_small_runtime(folder / "runtime"), file)
        data = wheel({"veracruz_runtime_image/image.tar.xz": image.read_bytes()})
        (self.wheels / "veracruz_runtime_image-0.1.0-py3-none-any.whl").write_bytes(data)

    def add(self, name: str, files: Mapping[str, bytes | str], **how: frozenset[str]) -> None:
        """Add a package of Debian, and write the lock anew."""
        data = deb(files, **how)
        file = f"{name}_1_amd64.deb"
        (self.packages / file).write_bytes(data)
        self._debian.append(
            {
                "name": name, "version": "1", "archive": "debian",
                "path": f"pool/main/m/made/{file}", "size": len(data),
                "sha256": hashlib.sha256(data).hexdigest(),
            }
        )  # fmt: skip
        self.write_lock()

    def add_wheel(self, name: str, files: Mapping[str, bytes]) -> None:
        """Add a wheel that is not ours, and write the lock anew."""
        data = wheel(files)
        (self.packages / name).write_bytes(data)
        self._others.append(
            {
                "name": name.split("-", maxsplit=1)[0], "version": "1", "file": name,
                "sha256": hashlib.sha256(data).hexdigest(),
            }
        )  # fmt: skip
        self.write_lock()

    def document(self) -> dict[str, object]:
        """The lock as a document."""
        return {
            "version": 1, "suite": "trixie", "architecture": "amd64", "python": "3.13",
            "kernel": self.KERNEL, "mirrors": {"debian": ["http://127.0.0.1:9/debian"]},
            "debian": self._debian, "wheels": self._others,
        }  # fmt: skip

    def write_lock(self, **changes: object) -> None:
        """Write the lock, with other values if so wished."""
        self.lock.write_text(json.dumps(self.document() | changes))
