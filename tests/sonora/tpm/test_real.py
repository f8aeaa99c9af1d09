"""Sonora's evidence and Tabasco's credentials on a real TPM implementation: swtpm."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_der_public_key

from colima import tabasco
from psa_attestation.evidence.native import AuxiliaryPart, NativeEvidence
from psa_attestation.tokens.runtime import mint_runtime_token
from sonora.doctor.hardware import look_at_hardware
from sonora.enrolment import enrol
from sonora.errors import EnrolmentRefusedError
from sonora.evidence import EvidenceUnavailableError
from sonora.evidence.tpm import source as source_module
from sonora.evidence.tpm.answers import code_of
from sonora.evidence.tpm.commands import ENDORSEMENT
from sonora.evidence.tpm.keys import (
    ATTESTATION_TEMPLATE,
    ECC_ENDORSEMENT_TEMPLATE,
    RSA_ENDORSEMENT_TEMPLATE,
    key_in,
)
from sonora.evidence.tpm.source import TpmSource
from support import endorsements, event_logs, swtpm
from support.swtpm import needs_swtpm
from support.throwaway_chain import NOON
from support.tpm_enrolment import bundle, der, refused_for, source_of
from tabasco.errors import RefusalError
from tabasco.registry.instances import Instances
from tabasco.registry.revocations import Revocations
from tabasco.registry.roots import Roots
from tabasco.service.attestation import Settings
from tabasco.verify.eventlog.log import parse_event_log
from tabasco.verify.evidence import verify_evidence
from tabasco.verify.kinds import EvidenceKind
from tabasco.verify.means import Means
from tabasco.verify.named import Subject

pytestmark = needs_swtpm


def credential(world, challenge, source, area):
    shown = source.endorsement
    return world.service.request_credential(
        tabasco.RequestCredentialRequest(
            challenge, "tpm", shown.certificate, shown.authorities, area
        )
    )


def begun(world):
    return world.service.begin_enrolment(tabasco.BeginEnrolmentRequest("tpm")).challenge


# What goes well.


def test_a_tpm_of_a_trusted_manufacturer_enrols(world, tpm, manufacturer):
    world.trust(der(manufacturer.root))
    world.accept_as_it_is(tpm)
    found = enrol(world.call, source_of(tpm, manufacturer))
    (instance,) = Instances(world.database).all()
    assert instance.instance_id == found.instance_id
    assert (instance.platform, instance.root) == ("tpm", "maker")
    assert world.asked == ["BeginEnrolment", "RequestCredential", "CompleteEnrolment"]


def test_the_authority_between_may_be_the_root_that_is_trusted(world, tpm, manufacturer):
    # Then the certificate in the TPM's own memory is all that is needed.
    world.trust(der(manufacturer.issuer))
    world.accept_as_it_is(tpm)
    enrol(world.call, TpmSource(tpm.settings()))


def test_it_enrols_again_and_leaves_nothing_in_the_tpm(world, tpm, manufacturer):
    world.trust(der(manufacturer.root))
    world.accept_as_it_is(tpm)
    source = source_of(tpm, manufacturer)
    ids = {enrol(world.call, source).instance_id for _ in range(5)}  # a TPM has room for three
    assert len(ids) == 5


def test_the_key_is_the_same_after_the_tpm_was_off(tpm, state, tmp_path):
    before = TpmSource(tpm.settings()).key_digest
    with swtpm.running(swtpm.copied(state, tmp_path / "again")) as again:  # over TCP, too
        assert TpmSource(again.settings()).key_digest == before


def test_a_persistent_key_serves_as_well(world, tpm, manufacturer):
    world.trust(der(manufacturer.root))
    world.accept_as_it_is(tpm)
    handle = tpm.make_persistent(ATTESTATION_TEMPLATE, ENDORSEMENT, 0x81010002)
    settings = tpm.settings(key_handle=handle, endorsement=bundle(tpm, manufacturer))
    enrol(world.call, TpmSource(settings))


def test_a_tpm_that_wants_a_command_again_after_its_start_gets_it(tpm, state, tmp_path):
    guarded = bytearray(ATTESTATION_TEMPLATE)
    guarded[6] &= ~0x04  # protected against guessing: a TPM writes that down at the first use
    handle = tpm.make_persistent(bytes(guarded), ENDORSEMENT, 0x81010002)
    kept = swtpm.copied(Path(tpm.place.where).parent, tmp_path / "again")
    with swtpm.running(kept, unix=True) as again:
        answers, exchange = [], again.place.open()

        def counted(command):
            answers.append(exchange(command))
            return answers[-1]

        source = TpmSource(again.settings(key_handle=handle), exchange=counted)
        native = NativeEvidence.decode(source.evidence(bytes(32)))
        means = Means(nonce=bytes(32))
        verify_evidence(native.raw, EvidenceKind.TPM, means=means, at=datetime.now(UTC))
    assert 0x922 in [code_of(each) for each in answers]  # TPM_RC_RETRY, as libtpms has it


@pytest.mark.parametrize("template", [RSA_ENDORSEMENT_TEMPLATE, ECC_ENDORSEMENT_TEMPLATE])
def test_a_tpm_that_keeps_no_key_makes_the_one_that_was_certified(world, tmp_path, template):
    state = tmp_path / "bare"
    state.mkdir()
    with swtpm.running(state, unix=True) as bare:  # nobody has set it up
        with source_module.Tpm(bare.place.open()).primary(ENDORSEMENT, template) as (_, area):
            key = load_der_public_key(key_in(area))
        path = tmp_path / "ek.der"
        path.write_bytes(endorsements.made(key=key, issuer=endorsements.ROOT, agrees=True))
        world.clock.now = NOON
        world.trust(endorsements.ROOT.der)
        world.accept_as_it_is(bare)
        enrol(world.call, TpmSource(bare.settings(endorsement=path)))


def test_a_policy_sees_which_tpm_it_is(world, tpm, manufacturer):
    source = source_of(tpm, manufacturer)
    digest = hashlib.sha256(source.endorsement.public_key).hexdigest()
    world.trust(der(manufacturer.root))
    rules = (
        '[tpm.facts]\ntpm-model = {{ equals = "swtpm" }}\nendorsement-key = {{ equals = "{}" }}\n'
    )
    pcr0 = f'[tpm.measurements]\npcr10 = ["{"00" * 32}"]\n'
    world.accept(rules.format("00" * 32) + pcr0)
    refused_for(world, source, "evidence-unacceptable")
    world.accept(rules.format(digest) + pcr0, version=2)
    enrol(world.call, source)


def test_the_doctor_tells_of_the_tpm(tpm):
    found = {each.name: each for each in look_at_hardware(tpm.settings())}["evidence tpm"]
    source = TpmSource(tpm.settings())
    assert found.found.startswith("there: platform tpm, made by 'IBM'")
    assert source.key_digest.hex() in found.found
    assert hashlib.sha256(source.endorsement.public_key).hexdigest() in found.found


# Another TPM, another key.


def test_a_tpm_of_another_manufacturer_is_refused(world, tpm, manufacturer, other_manufacturer):
    other_manufacturer.make("any")  # now it has certificates, of the same names
    world.trust(der(other_manufacturer.root))
    world.accept_as_it_is(tpm)
    refused_for(world, source_of(tpm, manufacturer), "endorsement-unknown", "unacceptable")


def test_a_policy_may_name_the_key_that_nobody_certifies(world, tpm):
    source = TpmSource(tpm.settings())
    world.accept(
        'concerns = ["tpm.uncertified-key"]\n[tpm.facts]\n'
        f'attestation-key = {{ equals = "{source.key_digest.hex()}" }}\n'
        f'[tpm.measurements]\npcr10 = ["{"00" * 32}"]\n'
    )
    enrol(world.call, source)


def test_a_tpm_whose_endorsement_key_wants_a_password_is_left_to_the_policy(
    world, tpm, manufacturer, caplog
):
    handle = tpm.make_persistent(ATTESTATION_TEMPLATE, ENDORSEMENT, 0x81010002)
    tpm.set_endorsement_password(b"secret")
    with pytest.raises(EvidenceUnavailableError, match="password of the key or the hierarchy"):
        TpmSource(tpm.settings())
    source = TpmSource(tpm.settings(key_handle=handle))
    world.trust(der(manufacturer.issuer))
    world.accept_as_it_is(tpm)
    refused_for(world, source, "evidence-unacceptable")
    assert "does not prove its key" in caplog.text
    world.accept(
        'concerns = ["tpm.uncertified-key"]\n[tpm.facts]\n'
        f'attestation-key = {{ equals = "{source.key_digest.hex()}" }}\n'
        f'[tpm.measurements]\npcr10 = ["{"00" * 32}"]\n',
        version=2,
    )
    enrol(world.call, source)


def test_a_root_that_was_removed_lets_nobody_enrol_and_ends_who_did(world, tpm, manufacturer):
    world.trust(der(manufacturer.root))
    world.accept_as_it_is(tpm)
    source = source_of(tpm, manufacturer)
    enrol(world.call, source)
    assert Roots(world.database).remove("maker", at=world.clock()) == 1
    with pytest.raises(EnrolmentRefusedError, match="endorsement-unknown"):
        enrol(world.call, source)
    (instance,) = Instances(world.database).all()
    assert instance.revoked_at is not None


def test_the_certificate_of_another_tpm_is_found_out_at_once(tpm, manufacturer, tmp_path):
    with swtpm.running(manufacturer.make(f"other-{tmp_path.name}")) as other:
        theirs = bundle(other, manufacturer)
    source = TpmSource(tpm.settings(endorsement=theirs))
    with pytest.raises(EvidenceUnavailableError, match="another key than this TPM's"):
        source.endorsed_evidence(bytes(32), lambda _: source_module.Credential(b"", b""))


def test_a_credential_for_another_tpm_is_not_activated(world, tpm, manufacturer, tmp_path):
    """A machine without a TPM of its own shows another's certificate, and has that answer."""
    world.trust(der(manufacturer.root))
    challenge = begun(world)
    with swtpm.running(manufacturer.make(f"victim-{tmp_path.name}")) as victim:
        honest = source_of(victim, manufacturer)
        with source_of(tpm, manufacturer)._key() as (_, area):
            given = credential(world, challenge, honest, area)
        # The victim's TPM does not hold the key of this name.
        with (
            honest._key() as (handle, _),
            honest.endorsement.key_of(honest._tpm) as endorsing,
            pytest.raises(EvidenceUnavailableError, match="error"),
        ):
            honest._tpm.activate_credential(
                handle, endorsing, given.credential, given.encrypted_secret
            )


@pytest.mark.parametrize(
    ("bit", "said"), [(16, "not restricted"), (1, "not fixedTPM"), (5, "not sensitiveDataOrigin")]
)
def test_a_key_that_could_have_been_made_outside_gets_no_credential(
    world, tpm, manufacturer, bit, said
):
    world.trust(der(manufacturer.root))
    source = source_of(tpm, manufacturer)
    with source._key() as (_, area):
        attributes = int.from_bytes(area[4:8]) & ~(1 << bit)
        changed = area[:4] + attributes.to_bytes(4) + area[8:]
        with pytest.raises(RefusalError, match="key-area-unsuitable") as caught:
            credential(world, begun(world), source, changed)
    assert said in caught.value.detail


def test_a_key_that_is_not_restricted_is_refused_even_if_the_tpm_made_it(
    world, tpm, manufacturer, monkeypatch
):
    unrestricted = bytearray(ATTESTATION_TEMPLATE)
    unrestricted[5] &= 0xFE
    monkeypatch.setattr(source_module, "ATTESTATION_TEMPLATE", bytes(unrestricted))
    world.trust(der(manufacturer.root))
    world.accept_as_it_is(tpm)
    refused_for(world, source_of(tpm, manufacturer), "key-area-unsuitable", "unacceptable")


# Evidence that somebody changes, keeps or sends late.


def changing(parts=None, raw=None):
    """What evidence becomes on the way."""

    def on_the_way(request):
        if not isinstance(request, tabasco.CompleteEnrolmentRequest):
            return request
        native = NativeEvidence.decode(request.evidence)
        changed = {**native.auxiliary, **(parts or {})}
        kept = {name: value for name, value in changed.items() if value is not None}
        new = NativeEvidence(native.kind, (raw or (lambda each: each))(native.raw), kept)
        return replace(request, evidence=new.encode())

    return on_the_way


@pytest.mark.parametrize(
    "parts",
    [
        {AuxiliaryPart.ACTIVATED_SECRET: bytes(32)},
        {AuxiliaryPart.ACTIVATED_SECRET: b""},
        {AuxiliaryPart.KEY_AREA: b""},
        {AuxiliaryPart.KEY_AREA: None},
        {AuxiliaryPart.ENDORSEMENT_CERTIFICATE: None},
        {AuxiliaryPart.ENDORSEMENT_CERTIFICATE: b"0\x03\x02\x01\x00"},
        {AuxiliaryPart.ENDORSEMENT_AUTHORITIES: None},
    ],
)
def test_proof_of_the_key_that_is_changed_is_refused(world, tpm, manufacturer, parts):
    world.trust(der(manufacturer.root))
    world.accept_as_it_is(tpm)
    world.on_the_way = changing(parts)
    refused_for(world, source_of(tpm, manufacturer), "evidence-refused")


def test_without_the_proof_the_key_is_certified_by_nobody(world, tpm, manufacturer):
    world.trust(der(manufacturer.root))
    world.accept_as_it_is(tpm)
    world.on_the_way = changing({AuxiliaryPart.ACTIVATED_SECRET: None})
    refused_for(world, source_of(tpm, manufacturer), "evidence-unacceptable")


def test_proof_for_one_enrolment_is_none_for_the_next(world, tpm, manufacturer):
    world.trust(der(manufacturer.root))
    world.accept_as_it_is(tpm)
    source = source_of(tpm, manufacturer)
    kept = {}

    def keep(request):
        if isinstance(request, tabasco.CompleteEnrolmentRequest):
            parts = NativeEvidence.decode(request.evidence).auxiliary
            kept[AuxiliaryPart.ACTIVATED_SECRET] = parts[AuxiliaryPart.ACTIVATED_SECRET]
        return request

    world.on_the_way = keep
    enrol(world.call, source)
    world.on_the_way = changing(kept)
    with pytest.raises(EnrolmentRefusedError, match="evidence-refused"):
        enrol(world.call, source)


def test_an_enrolment_that_is_sent_again_is_refused(world, tpm, manufacturer):
    world.trust(der(manufacturer.root))
    world.accept_as_it_is(tpm)
    sent = []
    world.on_the_way = lambda request: sent.append(request) or request
    enrol(world.call, source_of(tpm, manufacturer))
    with pytest.raises(RefusalError, match="challenge-not-live"):
        world.service.complete_enrolment(sent[-1])
    with pytest.raises(RefusalError, match="challenge-not-live"):
        world.service.request_credential(sent[1])


def test_an_activation_that_is_answered_late_is_refused(world, tpm, manufacturer):
    world.trust(der(manufacturer.root))
    world.accept_as_it_is(tpm)

    def late(request):
        if isinstance(request, tabasco.CompleteEnrolmentRequest):
            world.clock.now += Settings().challenge_validity + timedelta(seconds=1)
        return request

    world.on_the_way = late
    refused_for(world, source_of(tpm, manufacturer), "challenge-not-live")


def test_a_credential_costs_a_challenge_that_is_live(world, tpm, manufacturer):
    world.trust(der(manufacturer.root))
    source = source_of(tpm, manufacturer)
    with source._key() as (_, area), pytest.raises(RefusalError, match="challenge-not-live"):
        credential(world, bytes(32), source, area)
    challenge = begun(world)
    with source._key() as (_, area):
        for _ in range(3):  # it uses nothing up, and nothing is kept
            credential(world, challenge, source, area)
        world.clock.now += Settings().challenge_validity
        with pytest.raises(RefusalError, match="challenge-not-live"):
            credential(world, challenge, source, area)


def test_evidence_over_another_binding_is_refused(world, tpm, manufacturer):
    world.trust(der(manufacturer.root))
    world.accept_as_it_is(tpm)
    source = source_of(tpm, manufacturer)
    honest = source._tpm.quote
    source._tpm.quote = lambda key, _: honest(key, bytes(32))
    refused_for(world, source, "evidence-refused")


def test_a_register_that_changed_is_refused(world, tpm, manufacturer):
    world.trust(der(manufacturer.root))
    world.accept_as_it_is(tpm)
    tpm.extend(4, hashlib.sha256(b"another kernel").digest())
    refused_for(world, source_of(tpm, manufacturer), "evidence-unacceptable")


# What was extended.


def booted(tpm, log):
    """Extend what a log says into a TPM."""
    for event in parse_event_log(log).events:
        if event.extends:
            tpm.extend(event.register, event.digests["sha256"])


def logged(tpm, manufacturer, tmp_path, log):
    path = tmp_path / "binary_bios_measurements"
    path.write_bytes(log)
    settings = tpm.settings(endorsement=bundle(tpm, manufacturer), event_log=path)
    return TpmSource(settings)


def digests_of(log, register):
    return [event.digests["sha256"].hex() for event in parse_event_log(log).of(register)]


EVENTS = "[tpm.events]\npcr4 = {{ sequence = {} }}\n"


def why_refused(world, source):
    """What Tabasco writes into its own log."""
    with pytest.raises(EnrolmentRefusedError):
        enrol(world.call, source)
    assert Instances(world.database).all() == []
    return world.refusal.detail


def test_a_machine_enrols_by_what_was_extended(world, tpm, manufacturer, tmp_path):
    log = event_logs.boot()
    booted(tpm, log)
    world.trust(der(manufacturer.root))
    world.accept(EVENTS.format(digests_of(log, 4)))
    enrol(world.call, logged(tpm, manufacturer, tmp_path, log))


def test_a_refusal_names_the_event_that_the_policy_does_not_expect(
    world, tpm, manufacturer, tmp_path
):
    booted(tpm, other := event_logs.boot(programs=(b"shim", b"another grub")))
    world.trust(der(manufacturer.root))
    expected = digests_of(event_logs.boot(), 4)
    world.accept(EVENTS.format(expected))
    told = why_refused(world, logged(tpm, manufacturer, tmp_path, other))
    assert "event 4 (EV_EFI_BOOT_SERVICES_APPLICATION) extended" in told
    assert expected[-1] in told


def test_a_log_of_another_boot_is_refused(world, tpm, manufacturer, tmp_path):
    booted(tpm, event_logs.boot(programs=(b"shim", b"another grub")))
    log = event_logs.boot()
    world.trust(der(manufacturer.root))
    world.accept(EVENTS.format(digests_of(log, 4)))
    told = why_refused(world, logged(tpm, manufacturer, tmp_path, log))
    assert "PCR 4 of sha256" in told


def test_an_event_that_the_log_leaves_out_or_invents_is_refused(world, tpm, manufacturer, tmp_path):
    log = event_logs.boot()
    booted(tpm, event_logs.boot(programs=(b"shim",)))
    world.trust(der(manufacturer.root))
    world.accept(EVENTS.format(digests_of(log, 4)))
    told = why_refused(world, logged(tpm, manufacturer, tmp_path, log))
    assert "event 4 (EV_EFI_BOOT_SERVICES_APPLICATION)" in told
    assert "not extended" in told


def test_a_policy_of_events_is_not_met_without_a_log(world, tpm, manufacturer):
    log = event_logs.boot()
    booted(tpm, log)
    world.trust(der(manufacturer.root))
    world.accept(EVENTS.format(digests_of(log, 4)))
    told = why_refused(world, source_of(tpm, manufacturer))
    assert "no event log came with the evidence" in told


@pytest.mark.parametrize(
    ("rule", "accepted"),
    [
        ("allowed = {all}", True),
        ("allowed = {some}", False),
        ("required = {some}", True),
        ("required = {strange}", False),
        ("sequence = {some}", False),
        ("sequence = {more}", False),
    ],
)
def test_rules_of_events(world, tpm, manufacturer, tmp_path, *, rule, accepted):
    log = event_logs.boot()
    booted(tpm, log)
    found = digests_of(log, 4)
    given = {"all": found[::-1], "some": found[:-1], "strange": ["ab" * 32]}
    given["more"] = [*found, "ab" * 32]
    world.trust(der(manufacturer.root))
    world.accept(f"[tpm.events]\npcr4 = {{ {rule.format(**given)} }}\n")
    source = logged(tpm, manufacturer, tmp_path, log)
    if accepted:
        enrol(world.call, source)
    else:
        refused_for(world, source, "evidence-unacceptable")


# What is revoked.


def vouched_for(world, enrolled):
    """Tabasco's result about a token by the enrolled key."""
    token = mint_runtime_token(
        key=enrolled.key,
        challenge=bytes(32),
        platform="tpm",
        runtime_measurement=hashlib.sha256(b"runtime").digest(),
        runtime_version="1",
        certificate_digest=hashlib.sha256(b"certificate").digest(),
        policy_digest=hashlib.sha256(b"policy").digest(),
        isolation=frozenset(),
    )
    request = tabasco.VerifyTokenRequest(token, bytes(32))
    return world.service.verify_token(request).attestation_result


@pytest.mark.parametrize("what", ["endorsement key", "certificate", "issuer", "attestation key"])
def test_what_the_enrolment_rests_on_can_be_revoked(world, tpm, manufacturer, what):
    world.trust(der(manufacturer.root))
    world.accept_as_it_is(tpm)
    source = source_of(tpm, manufacturer)
    enrolled = enrol(world.call, source)
    own = source.endorsement
    subject, value = {
        "endorsement key": (Subject.KEY, hashlib.sha256(own.public_key).digest()),
        "certificate": (Subject.CERTIFICATE, hashlib.sha256(own.certificate).digest()),
        "issuer": (Subject.CERTIFICATE, hashlib.sha256(der(manufacturer.issuer)).digest()),
        "attestation key": (Subject.KEY, source.key_digest),
    }[what]
    assert vouched_for(world, enrolled)
    Revocations(world.database).add(subject, value, "a test", at=world.clock())
    with pytest.raises(RefusalError, match="revoked"):
        vouched_for(world, enrolled)
    with pytest.raises(EnrolmentRefusedError, match="revoked"):
        enrol(world.call, source)


def test_an_enrolment_ends_when_the_policy_expects_other_events(world, tpm, manufacturer, tmp_path):
    log = event_logs.boot()
    booted(tpm, log)
    world.trust(der(manufacturer.root))
    world.accept(EVENTS.format(digests_of(log, 4)))
    enrol(world.call, logged(tpm, manufacturer, tmp_path, log))
    (instance,) = Instances(world.database).all()
    assert instance.expires_at > world.clock()
    world.accept(EVENTS.format(digests_of(log, 4)[::-1]), version=2)
    (instance,) = Instances(world.database).all()
    assert instance.expires_at <= world.clock()
