"""Make the wheel that brings a release's runtime image.

python tools/runtime_image.py FOLDER [--lock requirements.lock] [--key KEY.pem --signer NAME]

The wheel holds the image as an archive, its manifest, a bill of materials (CycloneDX) and the
licences of all that is bundled; with a release key, also the signed file that `durango` takes the
measurement from. From the same installation it is the same to the last byte, but for that file and
what xz of another version may make of the same content; the measurement is over the content.
"""

import argparse
import base64
import hashlib
import os
import subprocess
import sys
import tempfile
import tomllib
import uuid
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import Distribution
from pathlib import Path

from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from durango.releases import INSTALLED_FILE
from sonora.image.build import build_image
from sonora.image.contents import packages_of
from sonora.image.signing import parse_release_key, sign_images
from sonora.image.source import ARCHIVE, RELEASE
from veracruz_image import MANIFEST, Manifest, read_manifest, write_archive
from veracruz_image.architecture import architecture_of

ROOT = Path(__file__).parent.parent
NAME = "veracruz-runtime-image"
_TIME = (1980, 1, 1, 0, 0, 0)
_LIFETIME = timedelta(days=730)
_INIT = '''"""The runtime image of a release of Veracruz; `sonora` finds and checks it."""

__all__: list[str] = []
'''


@dataclass(frozen=True)
class Library:
    """A native file of the system: the package that brings it, and that package's licences."""

    package: str
    version: str
    kind: str
    licences: Mapping[str, bytes]


def main() -> None:
    """Build the image and the wheel."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--lock", type=Path, default=ROOT / "requirements.lock")
    parser.add_argument("--key", type=Path, help="the private release key (PEM)")
    parser.add_argument("--signer", help="how who releases it is called")
    given = parser.parse_args()
    if (given.key is None) != (given.signer is None):
        parser.error("--key and --signer belong together")
    with tempfile.TemporaryDirectory() as draft:
        image = Path(draft) / "image"
        sources = build_image(image, lock=given.lock)
        packages = packages_of(sources)
        manifest = read_manifest(image)
        archive = Path(draft) / ARCHIVE
        with archive.open("wb") as file:
            write_archive(image, file)
        libraries = list(_libraries(sources, packages))
        files = {
            f"{RELEASE}/__init__.py": _INIT.encode(),
            f"{RELEASE}/py.typed": b"",
            f"{RELEASE}/{ARCHIVE}": archive.read_bytes(),
            f"{RELEASE}/{MANIFEST}": manifest.text,
            f"{RELEASE}/sbom.cdx.json": _bill(manifest, packages, libraries),
        }
        if given.key is not None:
            files[f"{RELEASE}/{INSTALLED_FILE}"] = _signed(image, given.key, given.signer)
        wheel = _write_wheel(given.folder, manifest, files, _licences(packages, libraries))
    sys.stdout.write(f"{wheel}\n{manifest.measurement}\n")


def _signed(image: Path, key: Path, signer: str) -> bytes:
    """What the release measures, signed by who releases it."""
    private = parse_release_key(key.read_bytes(), name=str(key))
    terms = {"version": _version(), "signer": signer}
    _, data = sign_images([image], private, **terms, at=datetime.now(UTC), lifetime=_LIFETIME)
    return data


def _libraries(sources: list[Path], packages: Mapping[str, Distribution]) -> Iterator[Library]:
    """What comes from the system: the interpreter with its modules, and native libraries."""
    owned = {
        Path(str(each.locate_file(file))).resolve()
        for each in packages.values()
        for file in each.files or ()
    }
    ours = {path.parent for path in ROOT.glob("*/pyproject.toml")}
    seen: dict[str, Library] = {"cpython": _python()}
    standard = Path(os.__file__).resolve().parent
    base = Path(sys.base_prefix).resolve()
    for source in sorted({path.resolve() for path in sources}):
        from_python = source.is_relative_to(standard) or (
            base != Path("/usr") and source.is_relative_to(base)
        )
        if source in owned or from_python or any(map(source.is_relative_to, ours)):
            continue
        library = _debian(source)
        seen.setdefault(library.package, library)
    yield from seen.values()


def _python() -> Library:
    places = [
        Path(sys.base_prefix) / f"lib/python3.{sys.version_info.minor}/LICENSE.txt",
        Path(f"/usr/share/doc/python3.{sys.version_info.minor}/copyright"),
    ]
    texts = {path.name: path.read_bytes() for path in places if path.is_file()}
    version = ".".join(map(str, sys.version_info[:3]))
    return Library("cpython", version, "generic", texts)


def _debian(source: Path) -> Library:
    """The package of the distribution that a file belongs to."""
    for name in (str(source), str(source).removeprefix("/usr")):
        found = _said("dpkg", "-S", name)
        if found:
            package = found.split(": ")[0].split(",")[0]
            break
    else:
        sys.exit(f"{source} belongs to no package, and its licence is not known")
    version = _said("dpkg-query", "-W", "-f", "${Version}", package)
    plain = package.partition(":")[0]
    text = Path(f"/usr/share/doc/{plain}/copyright").read_bytes()
    return Library(plain, version, "deb/debian", {"copyright": text})


def _said(*command: str) -> str:
    """What a command prints; nothing if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    return done.stdout if done.returncode == 0 else ""


def _bill(
    manifest: Manifest, packages: Mapping[str, Distribution], libraries: list[Library]
) -> bytes:
    """A bill of materials, without the time and serial number that would differ each time."""
    bom = Bom()
    bom.serial_number = _serial(manifest)
    bom.metadata.timestamp = None  # type: ignore[assignment]
    bom.metadata.component = Component(
        name=NAME,
        version=_version(),
        type=ComponentType.APPLICATION,
        bom_ref=NAME,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=str(manifest.measurement))],
        properties=[Property(name="veracruz:measurement", value=str(manifest.measurement))],
    )
    for name, each in packages.items():
        bom.components.add(_component(name, each.version, "pypi", _licence_of(each)))
    for library in libraries:
        bom.components.add(_component(library.package, library.version, library.kind, None))
    bom.register_dependency(bom.metadata.component, bom.components)
    return (JsonV1Dot6(bom).output_as_string(indent=2) + "\n").encode()


def _component(name: str, version: str, kind: str, licence: str | None) -> Component:
    scheme, _, space = kind.partition("/")
    url = PackageURL(type=scheme, namespace=space or None, name=name, version=version)
    return Component(
        name=name,
        version=version,
        type=ComponentType.LIBRARY,
        bom_ref=url.to_string(),
        purl=url,
        licenses=[DisjunctiveLicense(name=licence)] if licence else None,
    )


def _licence_of(distribution: Distribution) -> str | None:
    fields = distribution.metadata
    return fields.get("License-Expression") or fields.get("License")


def _licences(packages: Mapping[str, Distribution], libraries: list[Library]) -> dict[str, bytes]:
    """The texts of all licences, by package; every package that is not ours must have one."""
    texts = {"veracruz/LICENSE": (ROOT / "LICENSE").read_bytes()}
    for name, each in packages.items():
        if name.startswith("veracruz"):
            continue
        for file in each.files or ():
            parts = str(file).lower()
            if ".dist-info/" in parts and any(
                word in parts for word in ("licen", "notice", "copying", "sboms/")
            ):
                texts[f"{name}/{Path(str(file)).name}"] = file.read_binary()
    for library in libraries:
        texts |= {f"{library.package}/{name}": text for name, text in library.licences.items()}
    owners = {path.split("/")[0] for path in texts}
    wanted = {name for name in packages if not name.startswith("veracruz")}
    missing = (wanted | {each.package for each in libraries}) - owners
    if missing:
        sys.exit(f"no licence was found of {', '.join(sorted(missing))}")
    return dict(sorted(texts.items()))


def _write_wheel(
    folder: Path, manifest: Manifest, files: dict[str, bytes], licences: dict[str, bytes]
) -> Path:
    tag = f"py3-none-manylinux2014_{architecture_of(manifest)}"
    version = _version()
    info = f"{RELEASE}-{version}.dist-info"
    files = dict(files)
    files |= {f"{info}/licenses/{name}": text for name, text in licences.items()}
    files[f"{info}/METADATA"] = _metadata(manifest, version, licences)
    files[f"{info}/WHEEL"] = (
        f"Wheel-Version: 1.0\nGenerator: veracruz\nRoot-Is-Purelib: false\nTag: {tag}\n".encode()
    )
    record = f"{info}/RECORD"
    lines = [f"{name},sha256={_digest(data)},{len(data)}" for name, data in files.items()]
    files[record] = "\n".join([*lines, f"{record},,", ""]).encode()
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / f"{RELEASE}-{version}-{tag}.whl"
    with zipfile.ZipFile(wheel, "w") as packed:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, _TIME)
            entry.external_attr = 0o100644 << 16
            # What xz made small, zip cannot make smaller.
            stored = name.endswith(ARCHIVE)
            entry.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
            packed.writestr(entry, data)
    return wheel


def _metadata(manifest: Manifest, version: str, licences: Mapping[str, bytes]) -> bytes:
    head = [
        "Metadata-Version: 2.4",
        f"Name: {NAME}",
        f"Version: {version}",
        f"Summary: The runtime image of Veracruz {version}: what its isolates run, one measurement",
        "Requires-Python: >=3.11",
        *(f"License-File: {name}" for name in licences),
        "Classifier: Operating System :: POSIX :: Linux",
        "Description-Content-Type: text/markdown",
    ]
    text = f"""# {NAME}

Everything that an isolate of Veracruz {version} can load, from the dynamic loader up, and nothing
else. Its measurement, which policies pin, is

    {manifest.measurement}

`sonora` finds it once it is installed, and checks every file of it before an isolate runs.
`{MANIFEST}` names every file with its SHA-256, `sbom.cdx.json` the packages they are from.
"""
    return ("\n".join(head) + "\n\n" + text).encode()


def _serial(manifest: Manifest) -> uuid.UUID:
    return uuid.UUID(bytes=manifest.measurement.value[:16], version=5)


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def _version() -> str:
    table = tomllib.loads((ROOT / "sonora/pyproject.toml").read_text())
    return str(table["project"]["version"])


if __name__ == "__main__":
    main()
