"""`sonora machine build` out of small packages: the same bytes again, whole or not at all."""

import hashlib
import json
import resource
import shutil
import stat
from contextlib import contextmanager

import pytest
import zstandard
from click.testing import CliRunner

from sonora.cli import main
from sonora_machine.guest.settings import MachineSettings
from sonora_machine.image.modules import WANTED
from sonora_machine.uki import UnifiedImage
from support.cpio_archives import unpacked
from support.debian_packages import SmallRelease, native
from support.machines import policy_file
from support.pe_files import STUB, made_pe
from veracruz_image import ROOT


@contextmanager
def no_file_of_more_than(size):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def release(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "release"
    folder.mkdir()
    return SmallRelease(folder, stub=made_pe(STUB), modules=WANTED)


def build(release, folder, *words):
    given = ["--wheels", release.wheels, "--lock", release.lock, "--packages", release.packages]
    command = ["machine", "build", folder, *given, "--offline", "--json", *words]
    return CliRunner().invoke(main, [str(word) for word in command])


def refused(release, folder, *words):
    """The error; nothing is left."""
    told = build(release, folder, *words)
    assert told.exit_code in {1, 2, 3}, told.output
    assert not folder.exists()
    return told.output


def parts(folder):
    image = UnifiedImage.parse((folder / "veracruz.efi").read_bytes())
    return {name: bytes(data) for name, data in image.parts.items()}


def files(folder):
    """What the machine has, by path."""
    archive = zstandard.ZstdDecompressor().decompressobj().decompress(parts(folder)[".initrd"])
    return unpacked(archive)


def test_built_twice_it_is_the_same_to_the_last_byte(release, tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    assert build(release, one).exit_code == build(release, two).exit_code == 0
    names = sorted(each.name for each in one.iterdir())
    assert names == ["manifest.json", "sbom.cdx.json", "veracruz.efi"]
    for name in names:
        assert (one / name).read_bytes() == (two / name).read_bytes()


def test_what_is_in_it_is_what_the_packages_bring_and_no_shell(release, tmp_path):
    told = json.loads(build(release, tmp_path / "image").stdout)
    found = files(tmp_path / "image")
    programs = {path for path, (mode, *_) in found.items() if stat.S_ISREG(mode) and mode & 0o111}
    runtime = "usr/lib/veracruz/runtime"
    assert programs == {"init", "usr/bin/python3.13", f"{runtime}/{ROOT}/usr/bin/python3.11"}
    manifest = found[f"{runtime}/manifest.txt"][1]
    assert hashlib.sha256(manifest).hexdigest() == told["runtime"]
    assert found["init"][1].startswith(b"#!/usr/bin/python3.13 -I\n")
    packages = "usr/local/lib/python3.13/dist-packages"
    assert {f"{packages}/other.py", f"{packages}/sonora/__init__.py"} <= found.keys()
    assert f"{packages}/sonora_machine/guest/init.py" in found
    modules = [path for path in found if path.startswith("usr/lib/modules/veracruz/")]
    assert len(modules) == len(WANTED)
    assert b"veracruz-sonora:x:100:100::" in found["etc/passwd"][1]


def test_nothing_in_it_can_be_changed_by_the_services(release, tmp_path):
    build(release, tmp_path / "image")
    found = files(tmp_path / "image")
    loose = {path for path, (mode, *_) in found.items() if not stat.S_ISLNK(mode) and mode & 0o6022}
    loose -= {"dev/null"}
    assert loose == set()


def test_the_manifest_has_the_digest_of_all_that_went_in(release, tmp_path):
    build(release, tmp_path / "image")
    manifest = json.loads((tmp_path / "image/manifest.json").read_text())
    image = (tmp_path / "image/veracruz.efi").read_bytes()
    assert manifest["image"] == {"sha256": hashlib.sha256(image).hexdigest(), "size": len(image)}
    found = parts(tmp_path / "image")
    for name, part in (("kernel", ".linux"), ("initramfs", ".initrd")):
        assert manifest["parts"][name]["sha256"] == hashlib.sha256(found[part]).hexdigest()
    assert set(manifest["packages"]) == {
        "linux-image-6.12.1-made", "systemd-boot-efi", "python3.13-minimal", "other",
    }  # fmt: skip
    assert len(manifest["wheels"]) == 12
    bill = json.loads((tmp_path / "image/sbom.cdx.json").read_text())
    assert len(bill["components"]) == 4 + 12
    assert bill["bomFormat"] == "CycloneDX"


def test_what_vouches_for_it_and_its_network_are_in_the_measured_command_line(release, tmp_path):
    words = ["--evidence", "tsm", "--address", "192.0.2.5/24,192.0.2.1", "--tabasco",
             "attestation.example:3010", "--kernel-option", "quiet"]  # fmt: skip
    assert build(release, tmp_path / "image", *words).exit_code == 0
    line = parts(tmp_path / "image")[".cmdline"].decode()
    assert line.split()[-4:] == [
        "quiet", "veracruz.evidence=tsm", "veracruz.address=192.0.2.5/24,192.0.2.1",
        "veracruz.tabasco=attestation.example:3010",
    ]  # fmt: skip
    settings = MachineSettings.read(line, tmp_path, release.lock)
    assert (settings.evidence, settings.tabasco) == ("tsm", "attestation.example:3010")


def test_a_policy_is_built_in(release, tmp_path):
    policy = policy_file(tmp_path)
    assert build(release, tmp_path / "image", "--policy", policy).exit_code == 0
    assert files(tmp_path / "image")["etc/veracruz/policy.json"][1] == policy.read_bytes()


def test_what_is_no_policy_is_not_built_in(release, tmp_path):
    assert "policy" in refused(release, tmp_path / "image", "--policy", release.lock)


@pytest.mark.parametrize(
    ("option", "why"),
    [
        ("a  b", "words are of printable ASCII"),
        ("", "words are of printable ASCII"),
        ("init=/bin/sh\n", "words are of printable ASCII"),
        ("ü", "words are of printable ASCII"),
        ("x" * 3000, "and the kernel takes 2047"),
        ("veracruz.evidence=nsm", "see --evidence, --address and --tabasco"),
        ("veracruz.other", "see --evidence, --address and --tabasco"),
        ("init=/bin/x", "the image's first process"),
        ('"init=/bin/x"', "the image's first process"),
        ('in"it"=/bin/x', "the image's first process"),
        ("quiet rdinit=/x", "the image's first process"),
        ("initrd=/x", "the machine's files"),
        ("lockdown=none", "locked down"),
        ("module.sig_enforce=0", "Debian's signature"),
        ("module.sig-enforce=0", "Debian's signature"),
        ("console=tty0", "serial console"),
        ("quiet --", "takes no words"),
        ("panic=0", "ends"),
    ],
)
def test_words_that_undo_what_is_said_besides_are_refused(release, tmp_path, option, why):
    told = " ".join(refused(release, tmp_path / "image", "--kernel-option", option).split())
    assert why in told


@pytest.mark.parametrize("address", ["192.0.2.5", "192.0.2.5/33", "dhcp6", "1.2.3.4/8,x", ""])
def test_an_address_that_is_none_is_refused_before_it_is_in_an_image(release, tmp_path, address):
    assert "--address" in refused(release, tmp_path / "image", "--address", address)


def test_a_library_that_nobody_brings_is_named(release, tmp_path):
    release.add("more", {"usr/lib/x86_64-linux-gnu/libmore.so.1": native("libless.so.2")})
    told = refused(release, tmp_path / "image")
    assert "libmore.so.1 needs libless.so.2, which no package brings" in told


def test_a_wheel_of_ours_that_is_missing_or_there_twice_is_named(release, tmp_path):
    wheel = release.wheels / "veracruz_sonora-0.1.0-py3-none-any.whl"
    shutil.copy(wheel, release.wheels / "veracruz_sonora-0.2.0-py3-none-any.whl")
    assert "more than one wheel veracruz_sonora" in refused(release, tmp_path / "image")
    (release.wheels / "veracruz_sonora-0.2.0-py3-none-any.whl").unlink()
    wheel.unlink()
    assert "no wheel veracruz_sonora" in refused(release, tmp_path / "image")


def test_a_kernel_of_another_release_than_the_lock_says_is_refused(release, tmp_path):
    release.write_lock(kernel="6.12.2-made")
    assert "is the lock's kernel its release?" in refused(release, tmp_path / "image")


def test_a_package_that_was_changed_is_refused(release, tmp_path):
    file = release.packages / "systemd-boot-efi_1_amd64.deb"
    file.write_bytes(file.read_bytes() + b"x")
    assert "another file than the lock says" in refused(release, tmp_path / "image")


def test_a_folder_that_is_there_is_left_alone(release, tmp_path):
    folder = tmp_path / "image"
    folder.mkdir()
    (folder / "mine").write_text("mine")
    told = build(release, folder)
    assert told.exit_code == 1
    assert "is there already" in told.output
    assert (folder / "mine").read_text() == "mine"


def test_what_is_in_the_way_is_said_before_anything_is_fetched(release, tmp_path):
    next(release.packages.iterdir()).unlink()
    (tmp_path / "there").mkdir()
    (tmp_path / "nowhere").symlink_to(tmp_path / "lost")
    (tmp_path / "file").write_bytes(b"")
    for name, why in (
        ("there", "is there already: name a new folder"),
        ("nowhere", "is there already: name a new folder"),
        ("file", "is there already: name a new folder"),
        ("file/image", "is no folder that you may write to"),
    ):
        told = build(release, tmp_path / name)
        assert (told.exit_code, why in told.output) == (1, True), told.output


def test_a_build_that_fails_leaves_no_folder_above_its_own(release, tmp_path):
    release.write_lock(kernel="6.12.2-made")
    refused(release, tmp_path / "not/there/yet/image")
    assert not (tmp_path / "not").exists()


def test_folders_that_were_made_for_it_go_when_it_cannot_be_written(release, tmp_path):
    (tmp_path / "there").mkdir()
    with no_file_of_more_than(4096):
        told = build(release, tmp_path / "there/not/image")
    assert told.exit_code == 1
    assert "file too large" in told.output
    assert [*(tmp_path / "there").iterdir()] == []
    assert build(release, tmp_path / "there/not/image").exit_code == 0
