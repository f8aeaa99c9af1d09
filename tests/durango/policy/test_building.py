"""A policy written in TOML, and the canonical text that is made of it."""

import json
import re
import unicodedata
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from durango.identity import Identity
from durango.policy.building import build_policy, text_of_source
from durango.policy.canonical import canonical_json, is_canonical
from durango.policy.conversion import policy_to_toml
from durango.policy.source import SourceError, parse_source, read_source
from durango.releases import Releases
from support.policies import NOW, key_of, pem, public_key_der
from veracruz_utils.digest import Digest
from veracruz_utils.errors import VeracruzError
from veracruz_utils.policy import Agreement, InputTerms, Mechanism, Policy, PolicyError, Role

DAY = timedelta(days=1)
SOURCE = """
# Three hospitals and a program.
expires = 2026-06-20T00:00:00Z

[delegate]
sinaloa = "bridge.example:3011"

[attestation]
tabasco = "tabasco.example:3010"
key = "tabasco.pem"

[program]
from = "author"
file = "program.wasm"

[principals."Klinikum Süd"]
certificate = "south.cert.pem"

[principals.author]
certificate = "author.cert.pem"

[principals.north]
certificate = "north.cert.pem"

[[inputs]]
from = "north"
name = "patients"
type = "Vec<u32>"
bytes = "1MiB"

[[inputs]]
from = "Klinikum Süd"

[result]
readers = ["north"]
type = "Vec<i64>"
contributors = 2

[result.privacy]
mechanism = "laplace"
epsilon = "0.5"
total_epsilon = "1"
sensitivity = "1"

[rounds]
most = 2
attempts = 5
next = ["north"]

[[platforms]]
name = "linux-software-root"
measurements = ["%s"]

[limits]
run_seconds = 20
memory_bytes = "64MiB"
""" % ("5a" * 32)


@pytest.fixture
def folder(tmp_path) -> Path:
    for name in ("author", "north", "south"):
        identity = Identity.create(name, not_before=NOW - DAY, lifetime=60 * DAY)
        (tmp_path / f"{name}.cert.pem").write_bytes(identity.certificate_pem())
    (tmp_path / "tabasco.pem").write_text(
        pem(public_key_der(key_of("tabasco")), "PUBLIC KEY", width=64) + "\n"
    )
    (tmp_path / "program.wasm").write_bytes(b"\0asm")
    return tmp_path


def build(folder: Path, source: str = SOURCE) -> bytes:
    (folder / "policy.toml").write_text(source)
    found = read_source(folder / "policy.toml")
    return text_of_source(found, releases=Releases(folder, at=NOW), at=NOW)


def refused(folder: Path, old: str, new: str) -> str:
    assert old in SOURCE
    with pytest.raises(VeracruzError) as refusal:
        build(folder, SOURCE.replace(old, new))
    return str(refusal.value)


def test_a_policy_says_what_its_source_says(folder):
    policy = Policy.parse(build(folder), at=NOW)
    assert [each.name for each in policy.identities] == ["Klinikum Süd", "author", "north"]
    assert [each.client_id for each in policy.identities] == [0, 1, 2]
    assert policy.identities[2].roles == {Role.DATA_PROVIDER, Role.RESULT_READER}
    assert policy.identities[1].roles == {Role.PI_PROVIDER}
    assert policy.data_provision_order == (2, 0)
    assert policy.inputs == (InputTerms("patients", "Vec<u32>", 1 << 20), InputTerms())
    assert policy.program_digest == Digest.of(b"\0asm")
    assert policy.expires_at == datetime(2026, 6, 20, tzinfo=UTC)
    assert (policy.conduct.rounds, policy.conduct.attempts) == (2, 5)
    assert policy.conduct.next_round == Agreement(1, frozenset({2}))
    assert policy.result.contributors == 2
    assert policy.result.privacy.mechanism is Mechanism.LAPLACE
    assert (policy.limits.run_seconds, policy.limits.memory_bytes) == (20, 64 << 20)


def test_a_platform_may_pin_the_registers_of_its_machine(folder):
    on_tpm = SOURCE.replace('name = "linux-software-root"', 'name = "tpm"')
    plain = json.loads(build(folder, on_tpm))
    assert "machine" not in plain["platforms"][0]
    machine = f'[platforms.machine]\npcr11 = ["{"11" * 32}"]\npcr4 = ["{"AB" * 32}"]\n[limits]'
    pinned = json.loads(build(folder, on_tpm.replace("[limits]", machine)))
    assert pinned["platforms"][0].pop("machine") == {"pcr11": ["11" * 32], "pcr4": ["ab" * 32]}
    assert pinned == plain


@pytest.mark.parametrize(
    ("machine", "said"),
    [
        ('pcr4 = ["no"]', "platforms tpm: machine.pcr4: 'no' is not a value in hexadecimal digits"),
        ('pcr4 = "44"', "platforms[0].machine.pcr4: expected array, got str"),
        ("pcr4 = [44]", "platforms[0].machine.pcr4[0]: expected str, got int"),
        ('pcr4 = ["44"]', "$.platforms[0].machine.pcr4[0]: '44' is not a measurement in 64"),
        ('pcr77 = ["44"]', "'pcr77' is no register of tpm; they are pcr0, pcr1, "),
    ],
)
def test_registers_that_are_none_are_refused_by_their_names(folder, machine, said):
    changed = SOURCE.replace('name = "linux-software-root"', 'name = "tpm"')
    with pytest.raises(VeracruzError) as refusal:
        build(folder, changed.replace("[limits]", f"[platforms.machine]\n{machine}\n[limits]"))
    assert said in str(refusal.value)


def test_comments_white_space_and_the_order_of_tables_change_nothing(folder):
    raw = build(folder)
    assert is_canonical(raw)
    spaced = SOURCE.replace("\n\n", "\n\n# a remark\n\n").replace(" = ", "   =   ")
    assert build(folder, spaced) == raw
    head, result, rest = SOURCE.partition("[result]")
    limits = rest[rest.index("[limits]") :]
    moved = head + limits + "\n" + result + rest[: rest.index("[limits]")]
    assert build(folder, moved) == raw


def test_the_text_is_canonical_json(folder):
    raw = build(folder)
    assert b"\n" not in raw.replace(b"\\n", b"")
    assert canonical_json(json.dumps(json.loads(raw), indent=4).encode()) == raw


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('from = "author"', 'from = "autor"', "program.from: 'autor' is none of the principals"),
        ('readers = ["north"]', 'readers = ["north", "east"]', "result.readers[1]: 'east'"),
        ('next = ["north"]', 'next = ["nort"]', "rounds.next[0]: 'nort'"),
        ("most = 2", "moost = 2", "rounds: unknown field moost"),
        ('bytes = "1MiB"', 'bytes = "1 MB"', "inputs[0].bytes: '1 MB' is not a size"),
        ("2026-06-20T00:00:00Z", "2026-06-20T00:00:00", "has no time zone"),
        ('key = "tabasco.pem"', "", "attestation.key: a policy names the key"),
        ('file = "program.wasm"', "", "program: give its file or its digest"),
        ('file = "program.wasm"', 'file = "other.wasm"', "other.wasm"),
        ("north.cert.pem", "nort.cert.pem", "principals.north.certificate: "),
        ("run_seconds = 20", "run_second = 20", "limits: unknown limit 'run_second'"),
        ("run_seconds = 20", "fuel = 9007199254740993", "no canonical JSON says this"),
        ("[delegate]", "[delegat]", "unknown field delegat"),
        ("[rounds]", "[rounds", "is not TOML"),
        ("most = 2", f"most = {'9' * 5000}", "is not TOML"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(folder, old, new, told):
    assert told in refused(folder, old, new)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('mechanism = "laplace"', 'mechanism = "lapl"', "there are laplace, gaussian"),
        (
            "[principals.author]",
            '[principals.author]\nroles = ["Boss"]',
            "principals.author.roles[0]",
        ),
        (
            "[principals.north]",
            "[principals.north]\nage = 3",
            "principals.north: unknown field",
        ),
        (
            "run_seconds = 20",
            "run_seconds = 2.5",
            "limits.run_seconds: expected int",
        ),
        ('next = ["north"]', 'next = "north"', 'names stand in brackets, as in next = ["north"]'),
        ('next = ["north"]', '"\\u001b[2J" = 1', "rounds: unknown field ?[2J"),
        ("2026-06-20T00:00:00Z", "9999-12-31T23:59:59-23:59", "is no year of ours"),
        ("2026-06-20T00:00:00Z", "0001-01-01T00:00:00+23:59", "is no year of ours"),
        ("program.wasm", "a\\u0000b", "a\\x00b' cannot be read: embedded null byte"),
        ("tabasco.pem", "a\\u0000b", "attestation.key: "),
        ("north.cert.pem", "a\\u0000b", "principals.north.certificate: "),
    ],
)
def test_what_nobody_means_is_told_with_what_may_be_meant(folder, old, new, told):
    assert told in refused(folder, old, new)


def test_a_principal_without_a_part_is_told_by_name(folder):
    more = '[principals.guest]\ncertificate = "north.cert.pem"\n\n[principals.author]'
    assert "principals.guest: has no part in it" in refused(folder, "[principals.author]", more)


def test_a_mark_in_front_line_ends_and_forms_of_letters_change_nothing(folder):
    raw = build(folder)
    for text in (
        SOURCE.encode("utf-8-sig"),
        SOURCE.replace("\n", "\r\n").encode(),
        unicodedata.normalize("NFD", SOURCE).encode(),
    ):
        (folder / "policy.toml").write_bytes(text)
        source = read_source(folder / "policy.toml")
        assert text_of_source(source, releases=None, at=NOW) == raw


def test_a_name_in_two_forms_is_one_name(folder):
    other = unicodedata.normalize("NFD", '[principals."Klinikum Süd"]')
    more = other + '\ncertificate = "north.cert.pem"\n\n[principals.author]'
    assert "Klinikum Süd is there twice" in refused(folder, "[principals.author]", more)


def test_what_is_wrong_names_the_source(folder):
    build(folder)
    source = folder / "policy.toml"
    for old, new in (("program.wasm", "other.wasm"), ('from = "author"', 'from = "autor"')):
        source.write_text(SOURCE.replace(old, new))
        with pytest.raises(SourceError, match=re.escape(f"{source}: program.")):
            build_policy(source, at=NOW)
    source.write_text(SOURCE.replace('next = ["north"]', "next = []"))
    with pytest.raises(PolicyError, match=re.escape(f"policy of {source}: $.next_round: nobody")):
        build_policy(source, at=NOW)


def test_what_is_left_unsaid_stays_so_on_the_way_to_a_source_and_back(folder):
    for part in (
        '[rounds]\nmost = 2\nattempts = 5\nnext = ["north"]\n',
        '[limits]\nrun_seconds = 20\nmemory_bytes = "64MiB"\n',
        "",
    ):
        raw = build(folder, SOURCE.replace(part, ""))
        source = parse_source(policy_to_toml(Policy.parse(raw, at=NOW)).encode(), folder=folder)
        assert text_of_source(source, releases=None, at=NOW) == raw


def test_a_field_at_the_end_of_the_file_is_told_where_it_belongs(folder):
    with pytest.raises(SourceError, match="it stands above the first table"):
        build(folder, SOURCE.replace("attempts = 5", 'attempts = 5\nconsent = "all"'))


def test_the_file_is_named_where_its_text_is_wrong(folder):
    assert str(folder / "policy.toml") in refused(folder, "most = 2", "moost = 2")


def test_an_end_may_be_some_days_from_the_day_of_building(folder):
    policy = Policy.parse(
        build(folder, SOURCE.replace("expires = 2026-06-20T00:00:00Z", "days = 2")), at=NOW
    )
    assert policy.expires_at == datetime(2026, 6, 4, tzinfo=UTC)
    for ends in ("", "days = 2\nexpires = 2026-06-20"):
        told = refused(folder, "expires = 2026-06-20T00:00:00Z", ends)
        assert "give expires or days, and not both" in told


def test_a_digest_beside_a_file_is_held_against_it(folder):
    both = f'file = "program.wasm"\ndigest = "{Digest.of(bytes(4))}"'
    assert "program.digest says" in refused(folder, 'file = "program.wasm"', both)


def test_a_source_that_is_no_text_is_refused(folder):
    (folder / "policy.toml").write_bytes(b"\xff")
    with pytest.raises(SourceError, match="not UTF-8 at byte 0"):
        read_source(folder / "policy.toml")
