"""What a TPM may answer that a real one rarely does, played by a stand-in."""

import struct
from datetime import UTC, datetime

import pytest

from psa_attestation.evidence.native import NativeEvidence
from sonora.evidence import EvidenceUnavailableError
from sonora.evidence.tpm.answers import TpmError
from sonora.evidence.tpm.endorsement import EndorsementCertificate
from sonora.evidence.tpm.source import TpmSettings, TpmSource
from sonora.evidence.tpm.transport import TpmPlace, patient
from support.platform_fakes import FakeTpm
from tabasco.verify.evidence import verify_evidence
from tabasco.verify.kinds import EvidenceKind
from tabasco.verify.means import Means
from veracruz_utils.errors import VeracruzError

BINDING = bytes(range(32))
NOW = datetime(2026, 3, 1, tzinfo=UTC)
KEY = TpmSettings(key_handle=FakeTpm.handle)
RETRY, YIELDED, TESTING = 0x922, 0x908, 0x90A


def refusing(code):
    return struct.pack(">HII", 0x8001, 10, code)


def test_a_tpm_quotes_the_binding_and_all_registers():
    source = TpmSource(KEY, exchange=FakeTpm())
    native = NativeEvidence.decode(source.evidence(BINDING))
    proven = verify_evidence(native.raw, EvidenceKind.TPM, means=Means(nonce=BINDING), at=NOW)
    assert proven.report_data == BINDING
    assert proven.measurements["pcr23"] == b"\x17" * 32
    assert proven.facts["attestation-key"] == source.key_digest.hex()
    assert [concern.name for concern in proven.concerns] == ["tpm.uncertified-key"]


def test_a_key_that_is_not_there_is_told():
    with pytest.raises(EvidenceUnavailableError, match="error 0x18b: there is nothing of this"):
        TpmSource(TpmSettings(key_handle=0x81000001), exchange=FakeTpm())


@pytest.mark.parametrize("cut", [1, 5, 40])
def test_an_answer_that_is_cut_is_an_error_of_ours(cut):
    with pytest.raises(EvidenceUnavailableError, match="too short"):
        TpmSource(KEY, exchange=FakeTpm(cut=cut))


def test_an_attestation_key_off_its_curve_is_an_error_of_ours():
    answer = bytearray(FakeTpm()(struct.pack(">HIII", 0x8001, 14, 0x173, 0x81010002)))
    answer[answer.index(struct.pack(">HH", 3, 0x10)) + 8] ^= 1
    with pytest.raises(EvidenceUnavailableError, match="cannot be used"):
        TpmSource(KEY, exchange=lambda _: bytes(answer))


def test_a_tpm_that_fails_later_is_told():
    fake = FakeTpm()
    source = TpmSource(KEY, exchange=fake)
    fake.code = 0x101
    with pytest.raises(TpmError, match=r"error 0x101: .* restart the machine"):
        source.evidence(BINDING)


@pytest.mark.parametrize("code", [RETRY, YIELDED, TESTING])
def test_a_tpm_that_asks_for_a_command_again_gets_it_again(code):
    answers, commands, pauses = [refusing(code)] * 3 + [b"done with it"], [], []

    def exchange(command):
        commands.append(command)
        return answers.pop(0)

    assert patient(exchange, pause=pauses.append)(b"command") == b"done with it"
    assert commands == [b"command"] * 4
    assert pauses == sorted(pauses)
    assert pauses[0] > 0


def test_a_tpm_that_asks_again_for_ever_is_given_up():
    pauses = []
    answer = patient(lambda _: refusing(RETRY), pause=pauses.append)(b"command")
    assert answer == refusing(RETRY)
    assert len(pauses) == 19
    assert sum(pauses) < 20


def test_registers_that_change_under_a_quote_are_quoted_again():
    fake, quotes = FakeTpm(), []

    def exchange(command):
        answer = fake(command)
        if struct.unpack_from(">I", command, 6) == (0x158,):
            quotes.append(command)
            fake.changed = {10: b"i" * 32}  # just behind the first quote
        return answer

    native = NativeEvidence.decode(TpmSource(KEY, exchange=exchange).evidence(BINDING))
    proven = verify_evidence(native.raw, EvidenceKind.TPM, means=Means(nonce=BINDING), at=NOW)
    assert proven.measurements["pcr10"] == b"i" * 32
    assert len(quotes) == 2


@pytest.mark.parametrize(
    ("text", "kind", "where"),
    [
        ("/dev/tpm0", "device", "/dev/tpm0"),
        ("tcp:127.0.0.1:2321", "tcp", "127.0.0.1:2321"),
        ("unix:/run/tpm.sock", "unix", "/run/tpm.sock"),
    ],
)
def test_a_place_is_a_device_or_a_socket(text, kind, where):
    place = TpmPlace.parse(text)
    assert (place.kind, place.where) == (kind, where)
    assert str(place) == text


def test_a_tpm_on_another_machine_is_refused():
    with pytest.raises(VeracruzError, match="is not on this machine"):
        TpmPlace.parse("tcp:192.0.2.1:2321")


@pytest.mark.parametrize("text", ["", "tcp:", "unix:", "tcp:nowhere", "tcp:127.0.0.1:0x"])
def test_a_place_that_is_none_is_refused(text):
    with pytest.raises(VeracruzError):
        TpmPlace.parse(text)


@pytest.mark.parametrize("place", ["unix:/absent/tpm.sock", "tcp:127.0.0.1:1", "/dev/absent-tpm"])
def test_a_tpm_that_is_not_there_is_told_by_its_place(place):
    settings = TpmSettings(TpmPlace.parse(place))
    with pytest.raises(EvidenceUnavailableError, match=place.removeprefix("tcp:")):
        TpmSource(settings)


def test_an_event_log_that_does_not_fit_is_told(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(bytes(48 * 1024 + 1))
    settings = TpmSettings(key_handle=FakeTpm.handle, event_log=path)
    with pytest.raises(EvidenceUnavailableError, match="has 49153 bytes, at most 49152"):
        TpmSource(settings, exchange=FakeTpm())


@pytest.mark.parametrize("content", [b"", b"0\x82", b"-----BEGIN CERTIFICATE-----\nx\n"])
def test_an_endorsement_file_without_a_certificate_is_told(tmp_path, content):
    path = tmp_path / "ek.pem"
    path.write_bytes(content)
    with pytest.raises(EvidenceUnavailableError, match="certificate"):
        EndorsementCertificate.of_file(path)
