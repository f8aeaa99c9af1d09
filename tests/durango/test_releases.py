"""Releases: no key is trusted that was not compared, no file that a trusted key did not sign."""

import importlib.util
import os
from dataclasses import replace
from importlib.machinery import ModuleSpec

import pytest

from durango.errors import ReleaseError
from durango.releases import (
    INSTALLED_FILE,
    INSTALLED_PACKAGE,
    KnownRelease,
    RefusedRelease,
    Releases,
)
from psa_attestation.corim.release import sign_release
from support.releases import (
    DAY,
    FINGERPRINT,
    KEY,
    NOW,
    RELEASE,
    STRANGER,
    key_file,
    release_file,
)
from veracruz_utils.digest import Digest
from veracruz_utils.key_files import digest_of, pem_of

PEM = pem_of(KEY.public_key())
OTHERS = digest_of(STRANGER.public_key()).hex()


@pytest.fixture(autouse=True)
def nothing_installed(monkeypatch):
    """The release that may be installed here is not what these tests are about."""
    monkeypatch.setattr("durango.releases.find_spec", lambda _: None)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "config"


@pytest.fixture
def releases(folder):
    """A folder in which the one key is trusted."""
    made = Releases(folder, at=NOW)
    made.trust(PEM, fingerprint=Digest.from_hex(FINGERPRINT), name="key")
    return made


def add(releases, path):
    return releases.add(path.read_bytes(), name=path.name)


def refused(releases, path, words):
    with pytest.raises(ReleaseError, match=words) as caught:
        add(releases, path)
    assert caught.value.exit_code == 3
    assert releases.known() == []
    return str(caught.value)


# keys


def test_no_key_is_trusted_by_default(folder, tmp_path):
    releases = Releases(folder, at=NOW)
    assert releases.keys() == []
    told = refused(releases, release_file(tmp_path), "no key for releases is trusted here")
    assert "durango release trust KEY.pem --fingerprint HEX" in told
    assert not folder.exists()


def test_a_key_is_trusted_that_has_the_fingerprint_its_makers_publish(releases, folder):
    (trusted,) = releases.keys()
    assert str(trusted.fingerprint) == FINGERPRINT
    assert trusted.path.parent.parent == folder
    assert Releases(folder, at=NOW).keys() == [trusted]


def test_another_key_than_the_published_one_is_not_trusted(folder):
    releases = Releases(folder, at=NOW)
    with pytest.raises(ReleaseError) as caught:
        releases.trust(PEM, fingerprint=Digest.from_hex(OTHERS), name="key.pem")
    assert FINGERPRINT in str(caught.value)
    assert OTHERS in str(caught.value)
    assert releases.keys() == []


@pytest.mark.parametrize("pem", [b"", b"no key", b"-----BEGIN PRIVATE KEY-----"])
def test_what_is_no_public_key_is_not_trusted(folder, pem):
    with pytest.raises(ReleaseError, match=r"key\.pem"):
        Releases(folder, at=NOW).trust(pem, fingerprint=Digest.of(b""), name="key.pem")


def test_a_key_is_distrusted_with_all_that_it_signed(releases, tmp_path):
    add(releases, release_file(tmp_path))
    releases.distrust(Digest.from_hex(FINGERPRINT))
    assert releases.keys() == releases.known() == []
    with pytest.raises(ReleaseError, match="not among the trusted"):
        releases.distrust(Digest.from_hex(FINGERPRINT))


def test_a_key_in_the_folder_that_was_not_compared_is_not_used(releases, folder):
    (trusted,) = releases.keys()
    trusted.path.write_bytes(pem_of(STRANGER.public_key()))
    with pytest.raises(ReleaseError, match="holds another key"):
        releases.keys()


def test_keys_and_releases_are_for_all_to_read_in_folders_of_ones_own(tmp_path):
    folder = tmp_path / "not" / "there" / "yet"
    releases = Releases(folder, at=NOW)
    for _ in range(2):  # what was trusted or added may be so again
        trusted = releases.trust(PEM, fingerprint=Digest.from_hex(FINGERPRINT), name="key")
        known = add(releases, release_file(tmp_path))
    assert [path.stat().st_mode & 0o777 for path in (trusted.path, known.path)] == [0o644] * 2
    folders = (folder, trusted.path.parent, known.path.parent)
    assert [path.stat().st_mode & 0o777 for path in folders] == [0o700] * 3


def test_what_root_put_there_is_not_another_users(releases, monkeypatch):
    if os.geteuid() != 0:
        pytest.skip("only root has files of root's to try it with")
    monkeypatch.setattr(os, "geteuid", lambda: 1234)
    assert len(releases.keys()) == 1


def test_foreign_words_are_cut_in_errors(releases, tmp_path):
    known = add(releases, release_file(tmp_path))
    for action, most in (
        (lambda: known.measurement("a" * 99), 32),
        (lambda: releases.remove("a" * 99), 40),
        (lambda: releases.find("a" * 99), 40),
    ):
        with pytest.raises(ReleaseError, match=f"'{'a' * most}'"):
            action()


def test_of_many_files_that_are_not_believed_four_are_told(releases, tmp_path):
    for number in range(5):
        add(releases, release_file(tmp_path, version=f"0.{number}.0")).path.write_bytes(b"x")
    with pytest.raises(ReleaseError) as caught:
        releases.find("0.1.0")
    assert str(caught.value).count("not a signed release") == 4


def test_a_generous_umask_does_not_let_others_write(folder):
    before = os.umask(0)
    try:
        releases = Releases(folder, at=NOW)
        releases.trust(PEM, fingerprint=Digest.from_hex(FINGERPRINT), name="key")
    finally:
        os.umask(before)
    assert len(releases.keys()) == 1


@pytest.mark.parametrize("above", [0, 1, 2])
@pytest.mark.parametrize("bit", [0o020, 0o002])
def test_keys_that_others_could_have_put_there_are_not_used(releases, above, bit):
    (trusted,) = releases.keys()
    path = [trusted.path, *trusted.path.parents][above]
    path.chmod(path.stat().st_mode | bit)
    with pytest.raises(ReleaseError, match="others may write"):
        releases.keys()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize("above", [0, 1, 2])
def test_keys_of_another_user_are_not_used(releases, above):
    (trusted,) = releases.keys()
    os.chown([trusted.path, *trusted.path.parents][above], 65534, -1)
    with pytest.raises(ReleaseError, match="belongs to another user"):
        releases.keys()


# files


def test_a_release_that_a_trusted_key_signed_is_known(releases, tmp_path, folder):
    known = add(releases, release_file(tmp_path))
    assert known.release.version == "0.1.0"
    assert known.signed_by == Digest.from_hex(FINGERPRINT)
    later = Releases(folder, at=NOW)
    assert later.known() == [known]
    assert later.find("0.1.0") == known
    assert later.of_measurement(b"\x11" * 32) == (known, "x86_64")
    assert later.of_measurement(b"\x12" * 32) is None


def test_one_of_several_trusted_keys_is_enough(releases, tmp_path):
    other = Digest.from_hex(OTHERS)
    releases.trust(pem_of(STRANGER.public_key()), fingerprint=other, name="second")
    assert add(releases, release_file(tmp_path, key=STRANGER)).signed_by == other
    path = release_file(tmp_path, version="0.2.0")
    assert add(releases, path).signed_by == Digest.from_hex(FINGERPRINT)


def test_a_release_that_another_key_signed_is_refused(releases, tmp_path):
    told = refused(releases, release_file(tmp_path, key=STRANGER), "signed by none of the keys")
    assert FINGERPRINT in told


def test_a_release_that_nobody_signed_is_refused(releases, tmp_path):
    path = release_file(tmp_path)
    signed = path.read_bytes()
    path.write_bytes(signed[signed.index(b"\xd9\x01\xf5") : -66])
    refused(releases, path, "nobody signed")


def test_an_expired_release_is_refused(releases, tmp_path):
    path = release_file(tmp_path, issued=-2 * DAY, expires=-DAY)
    refused(releases, path, "its time is over")


def test_a_release_of_the_future_is_refused(releases, tmp_path):
    refused(releases, release_file(tmp_path, issued=DAY), "clock of this machine")


@pytest.mark.parametrize("data", [b"", b"\xd2\x84", b"not cbor", bytes(17 * 1024)])
def test_a_file_that_is_no_release_is_refused(releases, tmp_path, data):
    path = tmp_path / "file"
    path.write_bytes(data)
    refused(releases, path, "not a signed release of the runtime")


def test_a_release_is_known_until_it_expires(releases, tmp_path, folder):
    add(releases, release_file(tmp_path, expires=DAY))
    later = Releases(folder, at=NOW + 2 * DAY)
    assert later.known() == []
    (found,) = later.judged()
    assert isinstance(found, RefusedRelease)
    with pytest.raises(ReleaseError, match="its time is over"):
        later.find("0.1.0")


def test_a_file_that_is_spoilt_later_is_not_believed(releases, tmp_path):
    path = add(releases, release_file(tmp_path)).path
    path.write_bytes(path.read_bytes()[:-1] + bytes([path.read_bytes()[-1] ^ 1]))
    assert releases.known() == []
    path.write_bytes(b"")
    assert releases.known() == []


def test_another_version_is_not_taken_for_the_one_asked_for(releases, tmp_path):
    add(releases, release_file(tmp_path))
    with pytest.raises(ReleaseError) as caught:
        releases.find("0.2.0")
    assert "release '0.2.0' is not known, known here: 0.1.0" in str(caught.value)
    assert "durango release add FILE" in str(caught.value)


def test_a_release_has_one_value(releases, tmp_path):
    known = add(releases, release_file(tmp_path))
    other = release_file(tmp_path, measurements={"x86_64": b"\x12" * 32}, issued=-DAY / 2)
    with pytest.raises(ReleaseError, match="a release has one value"):
        add(releases, other)
    assert releases.known() == [known]


def test_a_newer_file_about_a_release_takes_the_place_of_an_older_one(releases, tmp_path):
    add(releases, release_file(tmp_path, expires=DAY))
    newer = release_file(
        tmp_path,
        issued=-DAY / 2,
        measurements={"x86_64": b"\x11" * 32, "aarch64": b"\x22" * 32},
    )
    known = add(releases, newer)
    assert releases.known() == [known]
    with pytest.raises(ReleaseError, match="older than what is known"):
        add(releases, release_file(tmp_path, name="old.corim"))
    assert releases.known() == [known]


def test_a_release_is_forgotten(releases, tmp_path):
    add(releases, release_file(tmp_path))
    releases.remove("0.1.0")
    assert releases.known() == []
    for version in ("0.1.0", "../0.1.0", "*"):
        with pytest.raises(ReleaseError, match="was not added"):
            releases.remove(version)


# for which machines


def test_one_image_needs_no_name(releases, tmp_path):
    known = add(releases, release_file(tmp_path))
    assert known.measurement(None) == known.measurement("x86_64") == ("x86_64", b"\x11" * 32)


def test_a_release_without_an_image_for_these_machines_says_so(releases, tmp_path):
    known = add(releases, release_file(tmp_path))
    with pytest.raises(ReleaseError, match="no image for 'aarch64', it has one for x86_64"):
        known.measurement("aarch64")


def test_of_several_images_one_has_to_be_named():
    values = {"x86_64": b"\x11" * 32, "aarch64": b"\x22" * 32}
    known = KnownRelease(replace(RELEASE, measurements=values), Digest.of(b""), key_file)
    assert known.measurement("aarch64") == ("aarch64", b"\x22" * 32)
    with pytest.raises(ReleaseError, match="images for aarch64, x86_64: say for which"):
        known.measurement(None)


# the installed package


@pytest.fixture
def installed(monkeypatch, tmp_path):
    """A package with a release's image, whose code must not run."""
    package = tmp_path / INSTALLED_PACKAGE
    package.mkdir()
    (package / "__init__.py").write_text("raise SystemExit")
    spec = ModuleSpec(INSTALLED_PACKAGE, None, is_package=True)
    spec.submodule_search_locations = [str(package)]
    monkeypatch.setattr(
        "durango.releases.find_spec",
        lambda name: spec if name == INSTALLED_PACKAGE else importlib.util.find_spec(name),
    )
    return package


def test_the_release_that_is_installed_is_known_by_a_trusted_key(releases, installed):
    path = release_file(installed, name=INSTALLED_FILE)
    assert releases.find("0.1.0").path == path


def test_the_release_that_is_installed_is_not_trusted_for_being_installed(folder, installed):
    release_file(installed, name=INSTALLED_FILE)
    assert Releases(folder, at=NOW).known() == []


def test_an_installed_package_without_a_release_is_no_error(releases, installed):
    assert releases.judged() == []


def test_an_installed_release_that_contradicts_an_added_one_is_used_by_nobody(
    releases, installed, tmp_path
):
    add(releases, release_file(tmp_path))
    release_file(installed, name=INSTALLED_FILE, measurements={"x86_64": b"\x12" * 32})
    with pytest.raises(ReleaseError, match="a release has one value"):
        releases.find("0.1.0")


def test_a_hostile_version_does_not_become_a_path(releases):
    forged = replace(RELEASE, version="0/../../evil")
    with pytest.raises(Exception, match="would be refused"):
        sign_release(forged, KEY)
