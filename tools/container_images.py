"""Make the container images, without Docker and without root: an OCI layout in a folder.

python tools/container_images.py FOLDER [--wheels dist]

Debian comes by mmdebstrap, third-party packages by the hashes in requirements.lock, ours by their
wheels (`make wheels`). There are two images on one layer of Debian: `veracruz` with the services
and the runtime image, `veracruz-operator` with the operator. Nothing in them runs as root, writes
to them or can install anything. Made twice of the same packages they are the same to the last byte.
"""

import argparse
import gzip
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pip

from sinaloa_operator.pods import USER

ROOT: Final = Path(__file__).parent.parent
_VERSION: Final = tomllib.loads((ROOT / "sonora/pyproject.toml").read_text())["project"]["version"]
_SUITES: Final = {(3, 11): "bookworm", (3, 13): "trixie"}
"""The release of Debian that has the Python which runs this: wheels are of one Python."""
_MACHINES: Final = {"x86_64": "amd64", "aarch64": "arm64"}
_IMAGES: Final = {
    "veracruz": (
        "veracruz-sonora", "veracruz-sinaloa", "veracruz-tabasco[http,postgresql]",
        "veracruz-runtime-image",
    ),
    "veracruz-operator": ("veracruz-operator",),
}  # fmt: skip
_WITHOUT: Final = (
    "dev/", "etc/hostname", "etc/machine-id", "etc/resolv.conf", "run/", "tmp/", "var/cache/",
    "var/lib/dpkg/status-old", "var/log/", "var/lib/systemd/",
)  # fmt: skip
"""What a container gets from elsewhere, and what tells of the making."""
_GZIP: Final = "application/vnd.oci.image.layer.v1.tar+gzip"

_INSTALL: Final = """set -eu
cd /tmp
export PYTHONHASHSEED=0 PYTHONPATH=/wheels/tool PYTHONDONTWRITEBYTECODE=1
install() {
  name="$1"; shift
  python3 -m venv --without-pip "/opt/$name"
  "/opt/$name/bin/python" -m pip install --quiet --no-index --no-compile --no-cache-dir \\
    --disable-pip-version-check --root-user-action=ignore --find-links /wheels \\
    --constraint /wheels/constraints.txt "$@"
  # Nobody can write next to a module: what is compiled is compiled here.
  "/opt/$name/bin/python" -m compileall -q --invalidation-mode unchecked-hash "/opt/$name/lib"
}
"""


@dataclass(frozen=True)
class Layer:
    """A layer in the layout: digests of what is stored, and of what it unpacks to."""

    digest: str
    size: int
    content: str


def main() -> None:
    """Build the layout, and print each image's name and digest."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--wheels", type=Path, default=ROOT / "dist")
    given = parser.parse_args()
    suite = _SUITES.get(sys.version_info[:2])
    if suite is None:
        parser.error(f"run by a Python of {', '.join(_SUITES.values())}: 3.11 or 3.13")
    epoch = int(os.environ.get("SOURCE_DATE_EPOCH") or _said("git", "log", "-1", "--format=%ct"))
    given.folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="veracruz-images-") as draft:
        folder = Path(draft)
        folder.chmod(0o755)  # the namespace's root is another user
        wheels = _gather(folder / "wheels", given.wheels)
        root = _debian(folder / "root.tar", wheels, suite, epoch)
        layers = _split(root, given.folder, folder)
    made = {name: _image(given.folder, name, [layers[""], layers[name]], epoch) for name in _IMAGES}
    _write_index(given.folder, made)
    for name, descriptor in made.items():
        sys.stdout.write(f"{name} {descriptor['digest']}\n")


def _gather(wheels: Path, ours: Path) -> Path:
    """A folder with every wheel, and pip to install them by."""
    wheels.mkdir()
    for each in sorted(ours.glob("veracruz*.whl")):
        shutil.copy(each, wheels)
    lock = ROOT / "requirements.lock"
    _run(
        sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
        "--no-deps", "--only-binary=:all:", "--require-hashes", "-r", lock, "-d", wheels,
    )  # fmt: skip
    pinned = [line.rstrip(" \\") for line in lock.read_text().splitlines() if line[:1].isalnum()]
    (wheels / "constraints.txt").write_text("\n".join(pinned) + "\n")
    shutil.copytree(Path(pip.__file__).parent, wheels / "tool/pip")
    steps = [f"install {name} {' '.join(what)}" for name, what in _IMAGES.items()]
    (wheels / "install.sh").write_text("\n".join([_INSTALL, *steps, ""]))
    return wheels


def _debian(made: Path, wheels: Path, suite: str, epoch: int) -> Path:
    """Debian with Python and our packages, as one archive."""
    passwd = f"veracruz:x:{USER}:{USER}::/nonexistent:/usr/sbin/nologin"
    hooks = [
        f'cp -R "{wheels}" "$1/wheels"',
        f'echo "{passwd}" >> "$1/etc/passwd" && echo "veracruz:x:{USER}:" >> "$1/etc/group"',
        'chroot "$1" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin sh /wheels/install.sh',
        'rm -rf "$1/wheels"',
    ]
    unwanted = ("/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*", "/usr/share/doc/*")
    options = [f"--dpkgopt=path-exclude={each}" for each in unwanted]
    options.append("--dpkgopt=path-include=/usr/share/doc/*/copyright")
    options += [f"--customize-hook={each}" for each in hooks]
    _run(
        "mmdebstrap", "--quiet", "--variant=essential", "--include=python3,python3-venv,libstdc++6",
        *options, suite, made, SOURCE_DATE_EPOCH=str(epoch),
    )  # fmt: skip
    return made


def _split(root: Path, layout: Path, draft: Path) -> dict[str, Layer]:
    """The layer of Debian, whose name is empty, and one for each image."""
    blobs = layout / "blobs/sha256"
    blobs.mkdir(parents=True)
    layers = {}
    for name in ("", *_IMAGES):
        plain = draft / "layer.tar"
        with tarfile.open(root) as source, tarfile.open(plain, "w") as target:
            for member in _members(source):
                if _layer_of(member.name) == name:
                    data = source.extractfile(member) if member.isreg() else None
                    target.addfile(member, data)
        packed = draft / "layer.tar.gz"
        with (
            plain.open("rb") as whole,
            packed.open("wb") as raw,
            gzip.GzipFile("", "wb", 6, raw, mtime=0) as file,
        ):
            shutil.copyfileobj(whole, file, 1 << 20)
        digest = _digest_of(packed)
        layers[name] = Layer(digest, packed.stat().st_size, _digest_of(plain))
        shutil.move(packed, blobs / digest)
    return layers


def _members(source: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """What is in an image, without what differs from one making to the next."""
    for member in source:
        member.name = member.name.removeprefix("./").rstrip("/")
        inside = any(
            member.name.startswith(each) if each.endswith("/") else member.name == each
            for each in _WITHOUT
        )
        if member.name in {"", "."} or inside:
            continue
        member.uname = member.gname = ""
        member.uid = member.gid = 0
        if member.isreg():
            member.mode &= 0o755  # no program makes anybody root, and nobody writes to any
        member.pax_headers = {}
        yield member


def _layer_of(path: str) -> str:
    for name in _IMAGES:
        if path == f"opt/{name}" or path.startswith(f"opt/{name}/"):
            return name
    return ""


def _image(layout: Path, name: str, layers: Iterable[Layer], epoch: int) -> dict[str, Any]:
    """Write an image's configuration and manifest; the descriptor of the manifest."""
    layers = list(layers)
    created = f"{datetime.fromtimestamp(epoch, UTC):%Y-%m-%dT%H:%M:%SZ}"
    labels = {
        "org.opencontainers.image.title": name,
        "org.opencontainers.image.version": _VERSION,
        "org.opencontainers.image.licenses": "MIT",
    }
    steps = ("Debian with Python, by mmdebstrap", f"{name}, by its wheels")
    configuration = {
        "created": created,
        "architecture": _MACHINES[platform.machine()],
        "os": "linux",
        "config": {
            "User": f"{USER}:{USER}",
            "Env": [
                f"PATH=/opt/{name}/bin:/usr/bin:/bin",
                "LANG=C.UTF-8",
                # Sonora unpacks the runtime image; the pod's /tmp is all that may be written to.
                "XDG_CACHE_HOME=/tmp/cache",
            ],
            "WorkingDir": "/",
            "Labels": labels,
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{each.content}" for each in layers]},
        "history": [{"created": created, "created_by": each} for each in steps],
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": _blob(layout, configuration, "application/vnd.oci.image.config.v1+json"),
        "layers": [_descriptor(_GZIP, each.digest, each.size) for each in layers],
        "annotations": labels,
    }
    return _blob(layout, manifest, manifest["mediaType"])


def _write_index(layout: Path, made: dict[str, dict[str, Any]]) -> None:
    named = [
        {**descriptor, "annotations": {"org.opencontainers.image.ref.name": name}}
        for name, descriptor in made.items()
    ]
    index = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": named,
    }
    (layout / "index.json").write_text(json.dumps(index, indent=2) + "\n")
    (layout / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}\n')


def _blob(layout: Path, document: dict[str, Any], kind: object) -> dict[str, Any]:
    data = json.dumps(document, indent=2).encode()
    digest = hashlib.sha256(data).hexdigest()
    (layout / "blobs/sha256" / digest).write_bytes(data)
    return _descriptor(str(kind), digest, len(data))


def _descriptor(kind: str, digest: str, size: int) -> dict[str, Any]:
    return {"mediaType": kind, "digest": f"sha256:{digest}", "size": size}


def _digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _run(*command: object, **environment: str) -> None:
    subprocess.run(  # noqa: S603
        list(map(str, command)), check=True, env={**os.environ, **environment}
    )


def _said(*command: str) -> str:
    return subprocess.run(  # noqa: S603
        command, check=True, capture_output=True, text=True, cwd=ROOT
    ).stdout


if __name__ == "__main__":
    main()
