"""The state directory: one key, made once, for our eyes only."""

import stat
import threading

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tabasco import TabascoError
from tabasco.registry.state import StateDirectory


@pytest.fixture
def state(tmp_path):
    state = StateDirectory(tmp_path / "deep" / "state")
    state.prepare()
    return state


def test_the_directory_and_the_key_are_for_their_owner_alone(state):
    state.make_result_key()
    assert stat.S_IMODE(state.path.stat().st_mode) == 0o700
    assert stat.S_IMODE(state.key_path.stat().st_mode) == 0o600
    assert [path.name for path in state.path.iterdir()] == ["result-key.pem"]


def test_the_key_is_p256_and_the_same_every_time(state):
    key = state.make_result_key()
    assert key.curve.name == "secp256r1"
    assert state.make_result_key().private_numbers() == key.private_numbers()
    assert state.result_key().private_numbers() == key.private_numbers()


def test_concurrent_first_starts_agree_on_one_key(state):
    keys, ready = [], threading.Barrier(4)

    def make():
        ready.wait()
        keys.append(state.make_result_key().private_numbers())

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys) == 4
    assert len({number.private_value for number in keys}) == 1


def test_a_missing_key_is_an_error_that_names_the_command(state):
    with pytest.raises(TabascoError, match="make one with tabasco init"):
        state.result_key()


def test_a_key_that_others_can_read_is_not_used(state):
    state.make_result_key()
    state.key_path.chmod(0o640)
    with pytest.raises(TabascoError, match="chmod 600"):
        state.make_result_key()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        ed25519.Ed25519PrivateKey.generate().private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        ),
        ec.generate_private_key(ec.SECP384R1()).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        ),
    ],
    ids=["empty", "damaged", "ed25519", "p384"],
)
def test_a_file_that_is_no_p256_key_is_refused_and_left_alone(state, content):
    state.key_path.write_bytes(content)
    state.key_path.chmod(0o600)
    with pytest.raises(TabascoError, match="not a P-256 private key"):
        state.make_result_key()
    assert state.key_path.read_bytes() == content


def test_a_directory_that_cannot_be_made_is_an_error_that_names_it(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(TabascoError, match="file/state"):
        StateDirectory(tmp_path / "file" / "state").prepare()
