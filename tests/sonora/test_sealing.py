"""An enrolment outlives a restart where it can be sealed, and is not written where it cannot."""

import time
from functools import partial

import pytest
from cryptography.hazmat.primitives import serialization

from psa_attestation.tokens.instance_id import instance_id_of
from sonora.boot_clock import boot_time
from sonora.cli.serving import enrolled_key, kept_enrolment
from sonora.enrolment import OwnEnrolment
from sonora.errors import SonoraError
from sonora.evidence import SOURCES
from sonora.sealing import GramineSealer, SealedEnrolment
from support.enrolment import new_key
from support.platform_fakes import FakeGramine


def enrolment(*, renew_in=50.0, expires_in=100.0):
    key, now = new_key(), boot_time()
    return OwnEnrolment(key, instance_id_of(key.public_key()), now + renew_in, now + expires_in)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "enrolment.sealed"


def kept_in(path, *, sealing_key=b"s" * 16, now=time.time):
    sealer = GramineSealer(files=FakeGramine(bytes, sealing_key=sealing_key))
    return SealedEnrolment(path, sealer, now=now)


def private(found):
    return found.key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def test_an_enrolment_is_resumed_with_its_key_and_its_end(path):
    first = enrolment()
    assert kept_in(path).keep(first) is first
    again = kept_in(path).resume()
    assert (private(again), again.instance_id) == (private(first), first.instance_id)
    assert again.expires_at == pytest.approx(first.expires_at, abs=2)
    assert again.renew_at == pytest.approx(first.renew_at, abs=2)


def test_the_file_is_for_its_owner_and_has_nothing_of_the_key_in_it(path):
    first = enrolment()
    kept_in(path).keep(first)
    number = first.key.private_numbers().private_value.to_bytes(32)
    assert number not in path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600
    before = path.read_bytes()
    kept_in(path).keep(first)
    assert path.read_bytes() != before


def test_another_enclave_or_machine_does_not_open_it(path, caplog):
    kept_in(path).keep(enrolment())
    assert kept_in(path, sealing_key=b"t" * 16).resume() is None
    assert "another enclave or machine" in caplog.text


def test_no_byte_of_it_can_be_changed_or_cut(path):
    kept_in(path).keep(enrolment())
    sealed = path.read_bytes()
    for place in range(0, len(sealed), 7):
        path.write_bytes(sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :])
        assert kept_in(path).resume() is None
        path.write_bytes(sealed[:place])
        assert kept_in(path).resume() is None


def test_what_is_over_is_not_resumed(path):
    kept_in(path).keep(enrolment())
    assert kept_in(path, now=lambda: time.time() + 200).resume() is None
    assert kept_in(path).resume() is not None


def test_where_nothing_seals_nothing_is_written(path, caplog):
    first = enrolment()
    assert kept_in(path, sealing_key=b"").keep(first) is first
    assert not path.exists()
    assert "not kept over a restart" in caplog.text
    assert kept_in(path).resume() is None


def test_something_else_that_is_sealed_is_no_enrolment(path):
    sealer = GramineSealer(files=FakeGramine(bytes))
    for content in (b"", b"\x80", b"\x83\x41\x00\x01\x02"):
        path.write_bytes(sealer.seal(content))
        assert kept_in(path).resume() is None
    with pytest.raises(SonoraError):
        sealer.unseal(b"")


def test_a_restart_goes_on_with_the_kept_key_and_a_renewal_is_kept_too(path):
    given = [enrolment(renew_in=-1), enrolment()]
    renew = partial(given.pop, 0)
    first, second = given
    assert enrolled_key(renew, kept_in(path), patience_s=0).instance_id == first.instance_id
    restarted = enrolled_key(renew, kept_in(path), patience_s=0)
    assert restarted.instance_id == first.instance_id
    restarted.key()
    assert restarted.instance_id == second.instance_id
    assert kept_in(path).resume().instance_id == second.instance_id


def test_only_an_enclave_keeps_its_enrolment(tmp_path):
    assert [name for name in SOURCES if kept_enrolment(name, tmp_path) is not None] == ["gramine"]
