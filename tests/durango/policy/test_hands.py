"""What each party has in hand, held against the policy: its own, and somebody else's."""

import dataclasses
import json

import pytest
from click.testing import CliRunner

from durango.cli import main
from durango.errors import ContentError
from durango.policy.hands import (
    hold_certificate,
    hold_certification,
    hold_image,
    hold_program,
    hold_tabasco_key,
)
from durango.policy.machines import hold_machine
from durango.policy.pinned_runtimes import PinnedRuntime
from sdk.examples import programs
from sonora.image.local import local_image
from support.named_policies import parse
from support.policies import certificate, document_2021, key_of, pem, public_key_der, text
from tlaxcala.cli import main as tlaxcala
from veracruz_utils.digest import Digest
from veracruz_utils.policy import Policy

PROGRAM = programs.load("string-edit-distance")


@pytest.fixture
def policy():
    return parse(program_digest=str(Digest.of(PROGRAM)))


@pytest.fixture
def program(tmp_path):
    path = tmp_path / "the program.wasm"
    path.write_bytes(PROGRAM)
    return path


def test_a_program_is_told_by_its_digest_and_by_its_name(policy, program):
    held = hold_program(policy, program)
    assert held.fits
    assert "is the program string-edit-distance" in held.text
    program.write_bytes(PROGRAM + b"\0")
    held = hold_program(policy, program)
    assert not held.fits
    assert str(program) in held.text
    assert str(policy.program_digest) in held.text
    assert str(Digest.of(PROGRAM + b"\0")) in held.text


def test_a_program_that_no_isolate_would_take_for_its_size_does_not_fit(program):
    terms = {"program_digest": str(Digest.of(PROGRAM))}
    just = parse(**terms, limits={"program_bytes": len(PROGRAM)})
    assert hold_program(just, program).fits
    below = hold_program(parse(**terms, limits={"program_bytes": len(PROGRAM) - 1}), program)
    assert not below.fits
    assert f"{len(PROGRAM)} bytes, the policy's limit program_bytes" in below.text


def test_a_certificate_is_somebody_or_nobody_of_the_policy(policy, tmp_path):
    path = tmp_path / "north.cert.pem"
    path.write_text(pem(certificate("north")))
    assert hold_certificate(policy, path).text == f"{path} is you as north (DataProvider)"
    path.write_text(pem(certificate("stranger")))
    held = hold_certificate(policy, path)
    assert not held.fits
    assert str(Digest.of(certificate("stranger"))) in held.text


def test_the_key_of_another_attestation_service_is_told_with_both_digests(policy, tmp_path):
    path = tmp_path / "tabasco.pem"
    path.write_text(pem(public_key_der(key_of("tabasco")), "PUBLIC KEY"))
    assert hold_tabasco_key(policy, path).fits
    old = Policy.parse(text(document_2021()), at=None)
    unnamed = hold_tabasco_key(old, path)
    assert unnamed.fits
    assert "compare it with the others" in unnamed.text
    path.write_text(pem(public_key_der(key_of("other")), "PUBLIC KEY"))
    held = hold_tabasco_key(policy, path)
    assert not held.fits
    for key in ("tabasco", "other"):
        assert str(Digest.of(public_key_der(key_of(key)))) in held.text


def test_an_image_is_accepted_or_told_with_its_measurement():
    image = local_image()
    measurement = image.measurement.value
    accepted = [{"name": "linux-software-root", "measurements": [measurement.hex()]}]
    policy = parse(platforms=accepted)
    pinned = (PinnedRuntime("linux-software-root", measurement, None),)
    held = hold_image(policy, image.folder, pinned)
    assert held.fits
    assert "accepted on linux-software-root" in held.text
    other = hold_image(parse(), image.folder, ())
    assert not other.fits
    assert measurement.hex() in other.text


MACHINE = {"name": "tpm", "measurements": ["5a" * 32]}


@pytest.mark.parametrize(
    ("pinned", "measured", "said"),
    [
        ({"pcr4": ["44" * 32]}, {"pcr4": ["44" * 32]}, None),
        ({"pcr4": ["44" * 32, "55" * 32]}, {"pcr4": ["55" * 32], "pcr9": ["99" * 32]}, None),
        ({"pcr4": ["44" * 32]}, {"pcr4": ["00" * 32, "44" * 32]}, None),
        ({"pcr4": ["44" * 32]}, {"pcr4": ["55" * 32]}, f"{'55' * 32} in pcr4 of tpm, the policy"),
        ({"pcr4": ["44" * 32], "pcr9": ["99" * 32]}, {"pcr4": ["44" * 32]}, "nothing in pcr9"),
        (None, {"pcr4": ["44" * 32]}, "pins nothing on tpm, so that any machine is accepted"),
    ],
)
def test_a_machine_that_one_measured_is_the_one_that_the_policy_names(
    tmp_path, pinned, measured, said
):
    path = tmp_path / "machine.toml"
    path.write_text(
        "[machine.tpm]\n" + "".join(f"{name} = {values}\n" for name, values in measured.items())
    )
    held = hold_machine(parse(platforms=[MACHINE | ({"machine": pinned} if pinned else {})]), path)
    assert held.fits is (said is None)
    assert (said or "is the machine that the policy names, on tpm by pcr4") in held.text
    elsewhere = hold_machine(parse(), path)
    assert not elsewhere.fits
    assert "measures machines for tpm, the policy accepts nitro" in elsewhere.text


def limits_of(policy: Policy) -> dict[str, object]:
    limits = policy.limits
    return {each.name: getattr(limits, each.name) for each in dataclasses.fields(limits)}


@pytest.fixture
def certification(tmp_path):
    module, path = tmp_path / "certified.wasm", tmp_path / "program.json"
    module.write_bytes(PROGRAM)
    done = CliRunner().invoke(tlaxcala, ["certify", str(module), "--output", str(path)])
    assert done.exit_code == 0, done.output
    return path


def test_limits_are_held_against_those_that_the_program_was_certified_for(certification):
    digest = str(Digest.of(PROGRAM))
    assert hold_certification(parse(program_digest=digest), certification).fits
    certified = json.loads(certification.read_bytes())["limits"]
    names = {"module_bytes": "program_bytes"}
    usual = limits_of(parse())
    checked = 0
    for said, value in certified.items():
        name = names.get(said, said)
        if name in usual:
            checked += 1
            lower = parse(program_digest=digest, limits={name: value - 1})
            held = hold_certification(lower, certification)
            assert not held.fits, name
            assert f"{name} {value - 1} below {value}" in held.text
    assert checked == len(certified) - 1  # policies do not speak of the number of tables


def test_a_certificate_of_another_program_or_none_at_all_is_told(certification, tmp_path):
    assert "not about the policy's program" in hold_certification(parse(), certification).text
    other = tmp_path / "other.json"
    for content in (b"{}", b"[", b'{"format": "veracruz-tlaxcala-certificate"}', b"\xff"):
        other.write_bytes(content)
        with pytest.raises(ContentError, match="no certificate of `tlaxcala certify`"):
            hold_certification(parse(), other)


def test_the_command_ends_with_3_for_what_does_not_fit_and_1_for_what_is_no_such_file(
    policy, program, tmp_path
):
    path, stranger = tmp_path / "policy.json", tmp_path / "stranger.cert.pem"
    path.write_bytes(policy.raw)
    stranger.write_text(pem(certificate("stranger")))

    def check(*words: object):
        return CliRunner().invoke(main, ["policy", "check", str(path), *map(str, words)])

    misfit = check("--certificate", stranger, "--program", program)
    assert misfit.exit_code == 3
    assert "ok: " in misfit.stdout
    assert "not so: " in misfit.stdout
    assert "it can be used" not in misfit.stdout
    options = ["--program", "--certificate", "--image", "--tabasco-key", "--certification"]
    for option in (*options, "--machine"):
        absent = check(option, tmp_path / "absent")
        assert (absent.exit_code, absent.stdout) == (1, ""), option
        assert "absent" in absent.stderr
    no_certificate = check("--certificate", program)
    assert (no_certificate.exit_code, no_certificate.stdout) == (1, "")
    assert str(program) in no_certificate.stderr
    facts = json.loads(check("--program", program, "--json").stdout)
    assert facts["held"][0]["fits"] is True
    assert facts["usable"] is False  # it is over by now
