"""`durango release`, and what `durango policy` makes of releases and images."""

import json
from io import BytesIO
from pathlib import Path

import pytest
from click.testing import CliRunner

from durango.cli import main
from durango.identity import Identity
from support.principal_rig import PROGRAM, key_pem
from support.releases import (
    DAY,
    FINGERPRINT,
    NOW,
    STRANGER,
    key_file,
    release_file,
    small_image,
)
from veracruz_image import measurement_of, write_archive
from veracruz_utils.policy import LINUX_SOFTWARE, Policy

LINUX = ("--platform", LINUX_SOFTWARE)


class Desk:
    """A principal with a folder, and a configuration of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.policy = folder / "policy.json"
        (folder / "program.wasm").write_bytes(PROGRAM)
        (folder / "tabasco.pem").write_bytes(key_pem(STRANGER))
        alice = Identity.create("alice", not_before=NOW, lifetime=DAY)
        (folder / "alice.cert.pem").write_bytes(alice.certificate_pem())

    def run(self, *args: object, status: int = 0):
        env = {"DURANGO_CONFIG": str(self.folder / "config")}
        result = CliRunner().invoke(main, list(map(str, args)), env=env)
        assert result.exit_code == status, (result.stdout, result.stderr, result.exception)
        return result

    def as_json(self, *args: object) -> dict:
        return json.loads(self.run(*args, "--json").stdout)

    def complain(self, *args: object, status: int) -> str:
        result = self.run(*args, status=status)
        assert result.stdout == ""
        return " ".join(result.stderr.replace("│", "").split())

    def trust(self) -> None:
        self.run("release", "trust", key_file(self.folder), "--fingerprint", FINGERPRINT)

    def new(self, *options: object) -> tuple[object, ...]:
        return (
            "policy", "new",
            "--identity", self.folder / "alice.cert.pem", "PiProvider,ResultReader",
            "--program", self.folder / "program.wasm", "--sinaloa", "127.0.0.1:1",
            "--tabasco", "127.0.0.1:2", "--tabasco-key", self.folder / "tabasco.pem",
            "--output", self.policy, *options,
        )  # fmt: skip

    def accepted(self) -> dict[str, set[bytes]]:
        made = Policy.parse(self.policy.read_bytes(), at=NOW)
        return {platform.name: set(platform.measurements) for platform in made.platforms}


@pytest.fixture
def desk(tmp_path, monkeypatch):
    monkeypatch.setattr("durango.releases.find_spec", lambda _: None)
    return Desk(tmp_path)


# durango release


def test_a_key_is_trusted_by_the_fingerprint_that_its_makers_publish(desk):
    spelt = ":".join(FINGERPRINT[i : i + 2] for i in range(0, 64, 2)).upper()
    facts = desk.as_json("release", "trust", key_file(desk.folder), "--fingerprint", spelt)
    assert facts["fingerprint"] == FINGERPRINT
    assert desk.as_json("release", "list")["keys"] == [facts]
    desk.run("release", "distrust", FINGERPRINT)
    assert "no key is trusted" in desk.run("release", "list").stdout


def test_a_key_is_not_trusted_without_a_fingerprint_and_not_shown_one_either(desk):
    told = desk.complain("release", "trust", key_file(desk.folder), status=2)
    assert "--fingerprint" in told
    assert FINGERPRINT not in told


@pytest.mark.parametrize("fingerprint", ["", "ab", "g" * 64, FINGERPRINT + "00"])
def test_what_is_no_fingerprint_is_wrong_usage(desk, fingerprint):
    told = desk.complain(
        "release", "trust", key_file(desk.folder), "--fingerprint", fingerprint, status=2
    )
    assert "64 hexadecimal digits" in told


def test_another_key_than_the_published_one_is_refused(desk):
    path = key_file(desk.folder, STRANGER)
    told = desk.complain("release", "trust", path, "--fingerprint", FINGERPRINT, status=3)
    assert "do not use this key" in told
    assert desk.as_json("release", "list")["keys"] == []


def test_releases_are_added_listed_and_removed(desk):
    desk.trust()
    facts = desk.as_json("release", "add", release_file(desk.folder))
    assert facts["version"] == "0.1.0"
    assert facts["measurements"] == {"x86_64": "11" * 32}
    assert facts["signed_by"] == FINGERPRINT
    listed = desk.as_json("release", "list")
    assert (listed["releases"], listed["refused"]) == ([facts], [])
    text = desk.run("release", "list").stdout
    assert "release 0.1.0, signed as 'Veracruz releases' by key" in text
    assert "11" * 32 in text
    desk.run("release", "remove", "0.1.0")
    assert desk.as_json("release", "list")["releases"] == []
    assert "was not added" in desk.complain("release", "remove", "0.1.0", status=3)


def test_a_release_by_a_key_that_is_not_trusted_is_refused(desk):
    desk.trust()
    told = desk.complain("release", "add", release_file(desk.folder, key=STRANGER), status=3)
    assert "signed by none of the keys that are trusted here" in told


def test_a_file_that_is_not_believed_any_more_is_listed_with_the_reason(desk):
    desk.trust()
    desk.run("release", "add", release_file(desk.folder))
    desk.run("release", "distrust", FINGERPRINT)
    (refused,) = desk.as_json("release", "list")["refused"]
    assert "no key for releases is trusted here" in refused["reason"]
    assert "not believed: " in desk.run("release", "list").stdout


# durango policy new


def test_a_policy_takes_the_value_of_a_release(desk):
    desk.trust()
    desk.run("release", "add", release_file(desk.folder))
    told = desk.run(*desk.new("--release", "0.1.0", *LINUX)).stderr
    assert desk.accepted() == {LINUX_SOFTWARE: {b"\x11" * 32}}
    assert f"release 0.1.0 for x86_64 measures {'11' * 32}, says key {FINGERPRINT[:8]}" in told


def test_a_policy_takes_the_value_of_a_release_for_the_machines_named(desk):
    desk.trust()
    values = {"x86_64": b"\x11" * 32, "aarch64": b"\x22" * 32}
    desk.run("release", "add", release_file(desk.folder, measurements=values))
    release = ("--release", "0.1.0")
    told = desk.complain(*desk.new(*release, *LINUX), status=3)
    assert "say for which machine with --architecture" in told
    told = desk.complain(*desk.new(*release, "--architecture", "riscv64", *LINUX), status=3)
    assert "has no image for 'riscv64'" in told
    assert not desk.policy.exists()
    desk.run(*desk.new(*release, "--architecture", "aarch64", *LINUX))
    assert desk.accepted() == {LINUX_SOFTWARE: {b"\x22" * 32}}


def test_a_release_by_a_key_that_nobody_trusted_makes_no_policy(desk):
    told = desk.complain(*desk.new("--release", "0.1.0", *LINUX), status=3)
    assert "release '0.1.0' is not known, no release is known here" in told
    desk.trust()
    desk.run("release", "add", release_file(desk.folder))
    told = desk.complain(*desk.new("--release", "0.2.0", *LINUX), status=3)
    assert "known here: 0.1.0" in told
    desk.run("release", "distrust", FINGERPRINT)
    told = desk.complain(*desk.new("--release", "0.1.0", *LINUX), status=3)
    assert "no key for releases is trusted here" in told
    assert not desk.policy.exists()


def test_a_policy_takes_the_value_of_an_image(desk):
    image = small_image(desk.folder / "image")
    value = measurement_of(image)
    packed = BytesIO()
    write_archive(image, packed)
    archive = desk.folder / "image.tar.xz"
    archive.write_bytes(packed.getvalue())
    for path in (image, archive):
        told = desk.run(*desk.new("--image", path, *LINUX, "--force")).stderr
        assert f"measures {value}, for x86_64" in told
        assert desk.accepted() == {LINUX_SOFTWARE: {value.value}}


def test_an_image_that_is_not_what_its_manifest_says_makes_no_policy(desk):
    image = small_image(desk.folder / "image")
    (image / "root/usr/lib/libc.so.6").write_bytes(b"LIBC.so.6")
    told = desk.complain(*desk.new("--image", image, *LINUX), status=1)
    assert "usr/lib/libc.so.6" in told
    assert not desk.policy.exists()


def test_values_of_releases_images_and_ones_own_are_accepted_together(desk):
    desk.trust()
    desk.run("release", "add", release_file(desk.folder))
    image = small_image(desk.folder / "image")
    desk.run(
        *desk.new("--release", "0.1.0", "--image", image, *LINUX, "--platform", "tpm"),
        "--platform", f"tpm={'ab' * 32}", "--platform", f"nitro={'cd' * 48}",
    )  # fmt: skip
    both = {b"\x11" * 32, measurement_of(image).value}
    assert desk.accepted() == {
        LINUX_SOFTWARE: both,
        "tpm": both | {b"\xab" * 32},
        "nitro": {b"\xcd" * 48},
    }


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (LINUX, "does not say which runtime is accepted there"),
        (["--image", "IMAGE"], "say on which kind of isolate that runtime is accepted"),
        (
            ["--image", "IMAGE", "--platform", f"nitro={'cd' * 48}"],
            f"such as --platform {LINUX_SOFTWARE}",
        ),
        ([], "a policy accepts at least one runtime"),
    ],
)
def test_a_runtime_without_its_kind_of_isolate_is_wrong_usage_and_so_the_other_way(
    desk, options, words
):
    image = small_image(desk.folder / "image")
    options = [image if option == "IMAGE" else option for option in options]
    assert words in desk.complain(*desk.new(*options), status=2)


# durango policy check


def test_a_policy_is_told_by_the_release_that_it_pins(desk):
    desk.trust()
    desk.run("release", "add", release_file(desk.folder))
    desk.run(*desk.new("--release", "0.1.0", *LINUX))
    facts = desk.as_json("policy", "check", desk.policy)
    assert facts["runtimes"] == [
        {
            "platform": LINUX_SOFTWARE,
            "measurement": "11" * 32,
            "release": "0.1.0",
            "architecture": "x86_64",
            "signed_by": FINGERPRINT,
        }
    ]
    assert not any("release" in warning for warning in facts["warnings"])
    text = desk.run("policy", "check", desk.policy).stdout
    assert f"{'11' * 32} is release 0.1.0 for x86_64, says 'Veracruz releases'" in text


def test_a_policy_that_pins_a_value_of_no_known_release_is_warned_of(desk):
    desk.trust()
    desk.run("release", "add", release_file(desk.folder))
    desk.run(*desk.new("--release", "0.1.0", *LINUX, "--platform", f"tpm={'ab' * 32}"))
    warnings = desk.as_json("policy", "check", desk.policy)["warnings"]
    (warning,) = [each for each in warnings if "release" in each]
    assert f"{'ab' * 32}, accepted on tpm, belongs to no release that is known here" in warning
    desk.run("release", "remove", "0.1.0")
    warnings = desk.as_json("policy", "check", desk.policy)["warnings"]
    assert sum("belongs to no release" in each for each in warnings) == 2


def test_who_trusts_no_key_is_told_how_to_before_it_is_told_of_measurements(desk):
    desk.run(*desk.new("--platform", f"{LINUX_SOFTWARE}={'ab' * 32}"))
    facts = desk.as_json("policy", "check", desk.policy)
    (warning,) = [each for each in facts["warnings"] if "release" in each]
    assert "no key for releases is trusted here" in warning
    assert "durango release trust" in warning
    assert facts["runtimes"][0]["release"] is None
