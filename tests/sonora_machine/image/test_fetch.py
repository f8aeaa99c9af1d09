"""Packages come from a folder, the cache or a mirror; by their digest, or not at all."""

import functools
import hashlib
import http.server
import socket
import threading
import time
from contextlib import contextmanager, suppress

import pytest

from sonora_machine.errors import MachineError, MachineUnreachableError
from sonora_machine.image import fetch
from sonora_machine.image.fetch import PackageCache
from sonora_machine.image.lock import DebianPackage

DATA = b"a package"
PACKAGE = DebianPackage(
    name="made", version="1", archive="debian", path="pool/main/m/made/made_1_amd64.deb",
    size=len(DATA), sha256=hashlib.sha256(DATA).hexdigest(),
)  # fmt: skip


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/veracruz/machine"


@pytest.fixture
def mirror(tmp_path):
    folder = tmp_path / "mirror/pool/main/m/made"
    folder.mkdir(parents=True)
    (folder / "made_1_amd64.deb").write_bytes(DATA)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Quiet, directory=tmp_path / "mirror")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield folder / "made_1_amd64.deb", f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_what_was_fetched_once_is_not_fetched_again(mirror, cache):
    file, address = mirror
    assert PackageCache().debian(PACKAGE, [address]) == DATA
    file.unlink()
    assert PackageCache().debian(PACKAGE, [address]) == DATA
    assert PackageCache(offline=True).debian(PACKAGE, []) == DATA
    assert [each.name for each in cache.iterdir()] == [PACKAGE.sha256]


def test_the_next_mirror_is_asked_when_one_has_it_not(mirror):
    _, address = mirror
    found = PackageCache().debian(PACKAGE, [f"{address}/nothing", "http://127.0.0.1:9", address])
    assert found == DATA


@pytest.mark.parametrize("other", [b"a pakkage", DATA + b"!", b""])
def test_another_file_of_that_name_is_not_used(mirror, cache, other):
    file, address = mirror
    file.write_bytes(other)
    with pytest.raises(MachineUnreachableError, match=r"sonora machine lock.*--packages"):
        PackageCache().debian(PACKAGE, [address])
    assert list(cache.iterdir()) == []


def test_a_damaged_file_of_the_cache_is_fetched_again(mirror, cache):
    _, address = mirror
    PackageCache().debian(PACKAGE, [address])
    (cache / PACKAGE.sha256).write_bytes(b"damaged")
    assert PackageCache().debian(PACKAGE, [address]) == DATA


def test_a_folder_that_was_given_goes_first_and_has_to_be_right(tmp_path):
    given = tmp_path / "given"
    given.mkdir()
    (given / "made_1_amd64.deb").write_bytes(DATA)
    assert PackageCache(given, offline=True).debian(PACKAGE, []) == DATA
    (given / "made_1_amd64.deb").write_bytes(b"other")
    with pytest.raises(MachineError, match="another file than the lock says"):
        PackageCache(given).debian(PACKAGE, [])


def test_offline_says_what_is_missing():
    with pytest.raises(MachineError, match=r"made_1_amd64\.deb is not there, and --offline"):
        PackageCache(offline=True).debian(PACKAGE, ["http://127.0.0.1:9"])


def test_only_http_is_spoken():
    with pytest.raises(MachineError, match="no address of HTTP"):
        PackageCache().debian(PACKAGE, ["file:///etc"])


def test_a_cache_that_others_may_write_to_is_not_used(cache):
    cache.mkdir(parents=True)
    cache.chmod(0o777)
    with pytest.raises(Exception, match="is open to others"):
        PackageCache()


@contextmanager
def a_mirror_that_says(*parts, every_s=0.0):
    """One that answers a request with these bytes, with a pause before each."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve():
            with suppress(OSError):
                connection, _ = listening.accept()
                with connection:
                    connection.recv(4096)
                    for part in parts:
                        time.sleep(every_s)
                        connection.sendall(part)

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@pytest.mark.parametrize(
    "slow", [[b"HTTP/1.0 200 OK\r\n\r\n", *[b"x"] * 100], [b"H"] * 100], ids=["body", "headers"]
)
def test_a_mirror_that_speaks_slowly_for_ever_is_given_up(mirror, monkeypatch, slow):
    _, address = mirror
    monkeypatch.setattr(fetch, "_SLOWEST_FILE_S", 0.5)
    with a_mirror_that_says(*slow, every_s=0.1) as slow_one:
        assert PackageCache().debian(PACKAGE, [slow_one, address]) == DATA
    with (
        a_mirror_that_says(*slow, every_s=0.1) as slow_one,
        pytest.raises(MachineUnreachableError, match="the file was not there after"),
    ):
        fetch.fetch(slow_one, 100)


def test_a_mirror_that_ends_a_file_too_early_says_so(mirror):
    short = b"HTTP/1.0 200 OK\r\nContent-Length: 9\r\n\r\n" + DATA[:4]
    with (
        a_mirror_that_says(short) as mirror_,
        pytest.raises(MachineUnreachableError, match="the file ended 5 bytes too early"),
    ):
        PackageCache().debian(PACKAGE, [mirror_])
