"""What a machine image says of itself: a manifest, and a bill of materials (CycloneDX 1.6)."""

import hashlib
import json
import uuid
from collections.abc import Iterator
from importlib.metadata import version
from typing import Final

from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from sonora_machine.image.lock import MachineLock
from sonora_machine.image.parts import MachineParts

_NAME: Final = "veracruz-machine-image"


def manifest(image: bytes, parts: MachineParts, lock: MachineLock) -> bytes:
    """JSON: the image, what it was made of, and every package by its digest.

    It depends on the image's content alone, so two who built the same have the same manifest.
    """
    facts = {
        "version": 1,
        "image": _facts(image),
        "runtime": parts.runtime,
        "command_line": parts.command_line,
        "kernel_release": parts.kernel_release,
        "parts": {
            "stub": _facts(parts.stub),
            "kernel": _facts(parts.kernel),
            "initramfs": _facts(parts.initramfs),
        },
        "built_by": {
            "veracruz-machine": version("veracruz-machine"),
            "zstandard": version("zstandard"),
        },
        "wheels": {each.name: _facts(each.data) for each in parts.wheels},
        "packages": {
            **{each.name: f"{each.version} sha256:{each.sha256}" for each in lock.debian},
            **{each.name: f"{each.version} sha256:{each.sha256}" for each in lock.wheels},
        },
    }
    return (json.dumps(facts, indent=2) + "\n").encode()


def bill_of_materials(image: bytes, parts: MachineParts, lock: MachineLock) -> bytes:
    """CycloneDX, without the time and serial number that would differ each time."""
    digest = hashlib.sha256(image)
    bom = Bom()
    bom.serial_number = uuid.UUID(bytes=digest.digest()[:16], version=5)
    bom.metadata.timestamp = None  # type: ignore[assignment]
    bom.metadata.component = Component(
        name=_NAME,
        version=version("veracruz-machine"),
        type=ComponentType.OPERATING_SYSTEM,
        bom_ref=_NAME,
        hashes=[_hash(digest.hexdigest())],
        properties=[Property(name="veracruz:runtime-measurement", value=parts.runtime)],
    )
    for component in _components(parts, lock):
        bom.components.add(component)
    bom.register_dependency(bom.metadata.component, bom.components)
    return (JsonV1Dot6(bom).output_as_string(indent=2) + "\n").encode()


def _components(parts: MachineParts, lock: MachineLock) -> Iterator[Component]:
    for package in lock.debian:
        url = PackageURL(
            type="deb", namespace="debian", name=package.name, version=package.version,
            qualifiers={"arch": lock.architecture, "distro": lock.suite},
        )  # fmt: skip
        yield _component(url, package.sha256)
    for wheel in lock.wheels:
        yield _component(
            PackageURL(type="pypi", name=wheel.name, version=wheel.version), wheel.sha256
        )
    for own in parts.wheels:
        name, number = own.name.split("-")[:2]
        url = PackageURL(type="pypi", name=name.replace("_", "-"), version=number)
        yield _component(url, hashlib.sha256(own.data).hexdigest())


def _component(url: PackageURL, digest: str) -> Component:
    return Component(
        name=url.name,
        version=url.version,
        type=ComponentType.LIBRARY,
        bom_ref=url.to_string(),
        purl=url,
        hashes=[_hash(digest)],
    )


def _hash(digest: str) -> HashType:
    return HashType(alg=HashAlgorithm.SHA_256, content=digest)


def _facts(data: bytes) -> dict[str, object]:
    return {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
