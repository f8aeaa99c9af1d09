"""A lock: what it names cannot lead elsewhere, and it is one line for each package."""

import contextlib
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonora_machine.errors import MachineError
from sonora_machine.image.lock import MachineLock, parse_lock, read_lock, shipped_lock

DEBIAN = {
    "name": "libc6", "version": "2.41-12", "archive": "debian",
    "path": "pool/main/g/glibc/libc6_2.41-12_amd64.deb", "size": 5, "sha256": "0" * 64,
}  # fmt: skip
WHEEL = {"name": "click", "version": "8.5.0", "file": "click-8.5.0.whl", "sha256": "1" * 64}
LOCK = {
    "version": 1, "suite": "trixie", "architecture": "amd64", "python": "3.13",
    "kernel": "6.12.1", "mirrors": {"debian": ["https://deb.debian.org/debian"]},
    "debian": [DEBIAN], "wheels": [WHEEL],
}  # fmt: skip


def refused(document, words):
    with pytest.raises(MachineError, match=words):
        parse_lock(json.dumps(document).encode(), name="the lock")


def test_the_shipped_lock_is_written_as_a_lock_is():
    lock = read_lock(shipped_lock())
    assert shipped_lock().read_bytes() == lock.write()
    names = {each.name for each in lock.debian}
    assert f"linux-image-{lock.kernel}" in names
    assert {"systemd-boot-efi", "python3.13-minimal"} <= names
    assert not names & {"bash", "dash", "busybox-static", "openssh-server", "login", "coreutils"}


def test_a_package_is_one_line():
    lock = parse_lock(json.dumps(LOCK).encode(), name="lock")
    text = lock.write().decode()
    assert [line for line in text.splitlines() if "libc6" in line and "2.41-12" in line]
    assert parse_lock(text.encode(), name="lock") == lock


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"path": "../../etc/passwd"}, "no place of a package"),
        ({"path": "pool/main/../../secret.deb"}, "no place of a package"),
        ({"path": "http://elsewhere/x.deb"}, "no place of a package"),
        ({"archive": "debian-security"}, "names no mirror of debian-security"),
        ({"archive": "elsewhere"}, "no lock of a machine image"),
        ({"sha256": "0" * 63}, "no SHA-256"),
        ({"sha256": "G" * 64}, "no SHA-256"),
        ({"name": "-e evil"}, "names no package"),
        ({"version": "1 --hash=x"}, "names no package"),
        ({"more": 1}, "unknown field"),
    ],
)
def test_a_package_that_leads_elsewhere_is_refused(change, words):
    refused(LOCK | {"debian": [DEBIAN | change]}, words)


def test_a_wheel_whose_name_is_an_option_of_pip_is_refused():
    refused(LOCK | {"wheels": [WHEEL | {"name": "--index-url"}]}, "names no package")


def test_a_wheel_whose_file_is_elsewhere_is_refused():
    refused(LOCK | {"wheels": [WHEEL | {"file": "../click.whl"}]}, "no name of a wheel")


def test_a_package_twice_is_refused():
    refused(LOCK | {"debian": [DEBIAN, DEBIAN | {"version": "3"}]}, "two versions of libc6")


@pytest.mark.parametrize("name", [*LOCK])
def test_a_lock_that_lacks_something_is_refused(name):
    refused({key: value for key, value in LOCK.items() if key != name}, name)


@given(st.binary(max_size=200))
def test_what_is_no_lock_is_refused_and_nothing_else_happens(data):
    with pytest.raises(MachineError):
        parse_lock(data, name="lock")


@given(st.data())
def test_changed_bytes_end_in_a_lock_or_a_refusal(data):
    text = bytearray(json.dumps(LOCK).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(MachineError):
        assert isinstance(parse_lock(bytes(text), name="lock"), MachineLock)


def test_what_is_written_is_read_again():
    lock = msgspec.convert(LOCK, MachineLock)
    assert parse_lock(lock.write(), name="lock") == lock
