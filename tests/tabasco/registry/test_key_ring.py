"""Result keys: rotated with an overlap in which every pinned policy still gets its signature."""

import json
import stat
from base64 import urlsafe_b64decode
from datetime import timedelta
from hashlib import sha256

import pytest
from click.testing import CliRunner

import colima.tabasco as wire
from psa_attestation.errors import AttestationError
from psa_attestation.jose.jwk import decode_key_set
from psa_attestation.results.ear import verify_ear
from psa_attestation.results.ear_jwt import verify_ear_jwt
from support.enrolment import RootAttester
from tabasco.cli import main
from tabasco.registry.audit import AuditLog
from tabasco.registry.database import Database
from tabasco.registry.key_ring import KeyRing, ResultKey
from tabasco.registry.state import StateDirectory
from tabasco.service.attestation import AttestationService, Settings
from veracruz_utils.key_files import digest_of

PLATFORM = "linux-software-root"
CHALLENGE = bytes(range(32))


@pytest.fixture
def state(tmp_path):
    state = StateDirectory(tmp_path / "state")
    state.prepare()
    state.make_result_key()
    return state


@pytest.fixture
def run(state):
    def run(*arguments, code=0):
        done = CliRunner().invoke(main, [*arguments, "--state", str(state.path)])
        assert done.exit_code == code, done.output
        return json.loads(done.stdout) if "--json" in arguments else done.output

    return run


@pytest.fixture
def service(database, clock, collateral, state, root):
    return AttestationService(
        database=database, key_ring=state.key_ring(), build="1", now=clock, settings=Settings(),
        source=collateral,
    )  # fmt: skip


@pytest.fixture
def enrolled(service, root):
    attester = RootAttester(root)
    begun = service.begin_enrolment(wire.BeginEnrolmentRequest(PLATFORM))
    service.complete_enrolment(attester.enrolment(begun.challenge))
    return attester


def ask(service, enrolled, **more):
    request = wire.VerifyTokenRequest(enrolled.token(CHALLENGE), CHALLENGE, **more)
    return service.verify_token(request).attestation_result


def verified(signed, key, clock):
    return verify_ear(signed, key=key, nonce=CHALLENGE, at=int(clock().timestamp()))


def test_a_policy_that_pins_the_old_key_gets_its_signature_until_the_overlap_ends(
    service, enrolled, state, clock
):
    old = state.result_key().public_key()
    new = state.rotate(until=clock() + timedelta(days=2)).public
    assert old != new
    verified(ask(service, enrolled), new, clock)
    verified(ask(service, enrolled, pinned_key=digest_of(new)), new, clock)
    verified(ask(service, enrolled, pinned_key=digest_of(old)), old, clock)
    with pytest.raises(AttestationError):
        verified(ask(service, enrolled, pinned_key=digest_of(new)), old, clock)
    begun = service.begin_enrolment(wire.BeginEnrolmentRequest(PLATFORM))
    clock.advance(days=2)
    ring = state.key_ring()
    assert [key.public for key in ring.in_use(clock())] == [new]
    assert ring.signing(digest_of(old), at=clock()).public == new
    assert begun.challenge


def test_a_key_that_we_never_had_gets_the_current_one(service, enrolled, state, clock):
    signed = ask(service, enrolled, pinned_key=sha256(b"another").digest())
    verified(signed, state.result_key().public_key(), clock)


def test_a_result_in_json_names_the_key_that_the_key_set_has(service, enrolled, state, clock):
    state.rotate(until=clock() + timedelta(days=1))
    published = decode_key_set(state.key_ring().key_set(clock()))
    assert len(published) == 2
    at = int(clock().timestamp())
    old = state.result_keys()[1]
    for wanted, kid in ((b"", state.result_keys()[0].kid), (old.digest, old.kid)):
        token = ask(service, enrolled, pinned_key=wanted, as_jwt=True).decode()
        header = json.loads(urlsafe_b64decode(token.split(".")[0] + "=="))
        assert header["kid"] == kid
        ear = verify_ear_jwt(token, keys=published, nonce=CHALLENGE, at=at)
        assert ear.raw_evidence is not None
        others = {name: key for name, key in published.items() if name != kid}
        with pytest.raises(AttestationError):
            verify_ear_jwt(token, keys=others, nonce=CHALLENGE, at=at)


def test_the_largest_token_fits_into_a_result_of_either_form():
    for size in (wire.MAX_TOKEN_BYTES, wire.MAX_TOKEN_BYTES * 2):
        wire.VerifyTokenResponse(bytes(size * 4 // 3))


def test_a_rotation_is_seen_by_a_ring_that_is_open(state, clock):
    ring = state.key_ring()
    first = ring.signing(b"", at=clock())
    made = state.rotate(until=clock() + timedelta(days=1))
    assert ring.signing(b"", at=clock()).digest == made.digest
    assert ring.signing(first.digest, at=clock()).digest == first.digest
    assert state.drop(first.kid)
    assert ring.signing(first.digest, at=clock()).digest == made.digest
    assert not state.drop(first.kid)


def test_keys_that_died_midway_between_two_places_count_once(state, clock):
    current = ResultKey.of(state.result_key())
    state.rotate(until=clock() + timedelta(days=1))
    (copy,) = state.old_keys_path.iterdir()
    state.key_path.write_bytes(copy.read_bytes())
    assert [key.digest for key in state.result_keys()] == [current.digest]


def test_old_keys_are_for_our_eyes_only_and_deleted_in_the_end(state, clock):
    state.rotate(until=clock() + timedelta(days=1))
    (file,) = state.old_keys_path.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(state.old_keys_path.stat().st_mode) == 0o700
    file.chmod(0o640)
    with pytest.raises(Exception, match="other users can read"):
        state.result_keys()
    state.drop_expired(clock())
    assert file.exists()
    state.drop_expired(clock() + timedelta(days=1))
    assert not file.exists()


def test_no_key_shows_its_private_half(state):
    shown = repr(state.result_keys())
    assert "private" not in shown


def test_keys_are_listed_rotated_and_dropped_by_command(run, state):
    (first,) = run("keys", "list", "--json")["keys"]
    assert first["expires_at"] is None
    assert first["public_key"] == run("public-key", "--json")["public_key"]
    made = run("keys", "rotate", "--overlap", "3", "--json")
    kept = run("keys", "list", "--json")["keys"]
    assert [key["kid"] for key in kept] == [made["kid"], first["kid"]]
    assert "until" in run("keys", "list")
    assert "there is no old key" in run("keys", "drop", "0" * 64, code=1)
    assert "there is no old key" in run("keys", "drop", made["kid"], code=1)
    run("keys", "drop", first["kid"])
    run("keys", "rotate", "--overlap", "0")
    (last,) = run("keys", "list", "--json")["keys"]
    assert last["kid"] not in {first["kid"], made["kid"]}
    with Database.open(state.database_url) as database:
        done = [entry.action for entry in AuditLog(database).entries()]
    assert done == ["rotate-result-key", "drop-result-key", "rotate-result-key"]


def test_a_head_that_a_rotated_key_signed_is_still_verified(run, tmp_path):
    run("keys", "rotate")
    head = tmp_path / "head"
    head.write_text(run("audit", "head"), encoding="ascii")
    run("keys", "rotate")
    assert "contains the kept head" in run("audit", "verify", "--head", str(head))
    run("keys", "rotate", "--overlap", "0")
    assert run("audit", "verify", "--head", str(head), "--json")["kept"] == 1


def test_a_single_key_stays(result_key, clock):
    ring = KeyRing.single(result_key)
    assert ring.in_use(clock())[0].public == result_key.public_key()
