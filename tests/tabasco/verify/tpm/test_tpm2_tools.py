"""The files that tpm2_quote writes, and what is made of them."""

import json
import struct
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from support.cloud_evidence import keylime_registers
from support.refused_evidence import refused
from support.tpm_quotes import Recipe, ec_signature
from tabasco.cli import main
from tabasco.verify import EvidenceError, Fault, VerificationStage
from tabasco.verify.detection import kind_of
from tabasco.verify.tpm.key_area import attestation_key
from tabasco.verify.tpm.quote_json import parse_tpm
from tabasco.verify.tpm.tpm2_tools import document_of

FILES = Path(__file__).parents[3] / "vectors" / "tpm" / "tpm2-tools"
FORMS = ["serialized", "values"]
COVERED = {"sha256": {0, 4, 16}, "sha384": {2}}


def read(name):
    return (FILES / name).read_bytes()


def verify(form="values", *more, registers=None, key="ak.pem"):
    arguments = [
        "verify", FILES / f"{form}.msg", "--quote-signature", FILES / f"{form}.sig",
        "--quote-registers", registers or FILES / f"{form}.pcrs", "--json", *more,
    ]  # fmt: skip
    arguments += ["--key", FILES / key] if key else []
    done = CliRunner().invoke(main, [str(each) for each in arguments])
    return done.exit_code, json.loads(done.stdout or "{}"), done.stderr


@pytest.mark.parametrize("form", FORMS)
def test_a_quote_over_some_registers_is_verified_by_its_files(form):
    status, report, _ = verify(form, "--nonce", "aabbcc")
    assert (status, report["verdict"]) == (0, "accepted")
    found = report["proven"]["measurements"]
    assert found.keys() == {"pcr0", "pcr4", "pcr16", "sha384.pcr2"}
    assert found["pcr16"].startswith("7f851937")
    assert report["proven"]["facts"]["certified-by"] == "who gave the key"


@pytest.mark.parametrize("form", FORMS)
def test_the_registers_may_be_in_json(form, tmp_path):
    parts = parse_tpm(document_of(*(read(f"{form}.{each}") for each in ("msg", "sig", "pcrs"))))
    assert {bank: set(values) for bank, values in parts.registers.items()} == COVERED
    file = tmp_path / "pcrs.json"
    file.write_text(
        json.dumps(
            {
                bank: {str(index): value.hex() for index, value in values.items()}
                for bank, values in parts.registers.items()
            }
        )
    )
    assert verify(form, registers=file)[0] == 0


def test_another_nonce_key_or_register_is_refused(tmp_path):
    assert verify("values", "--nonce", "aabbcd")[1]["refusal"]["reason"] == "nonce"
    assert verify(key=None)[1]["refusal"]["reason"] == "collateral-missing"
    changed = bytearray(read("values.pcrs"))
    changed[70] ^= 1
    (tmp_path / "changed").write_bytes(changed)
    assert verify(registers=tmp_path / "changed")[1]["refusal"]["reason"] == "measurement"


@pytest.mark.parametrize("cut", [0, 1, 143, 145, 667, 700])
def test_registers_that_are_not_those_of_the_quote_are_an_error_that_names_the_file(tmp_path, cut):
    (tmp_path / "cut").write_bytes((read("serialized.pcrs") * 2)[:cut])
    status, _, told = verify(registers=tmp_path / "cut")
    assert status == 1
    assert str(tmp_path / "cut") in told


BLOB = keylime_registers({"sha256": {0: bytes(32)}})
LIST_BYTES = 4 + 8 * (2 + 64)


def registers_of(data, registers):
    """What `data` is as the registers of a quote over those."""
    message = Recipe(registers=registers).message()
    return parse_tpm(document_of(message, ec_signature(message), data)).registers


def lists(number):
    """One register in the first of so many lists."""
    return b"".join(
        (BLOB[:132], struct.pack("<I", number), BLOB[136:], bytes((number - 1) * LIST_BYTES))
    )


@pytest.mark.parametrize("count", [7, 8, 9, 24])
def test_registers_of_every_size_are_read_in_both_forms(count):
    sizes = {"sha1": 20, "sha256": 32, "sha384": 48, "sha512": 64}
    registers = {
        bank: {index: bytes([index + 1]) * size for index in range(count)}
        for bank, size in sizes.items()
    }
    values = b"".join(value for bank in registers.values() for value in bank.values())
    assert registers_of(keylime_registers(registers), registers) == registers
    assert registers_of(values, registers) == registers


@pytest.mark.parametrize("first", [b"{", b"[", b" {"])
def test_values_may_begin_like_json(first):
    value = first.ljust(32, b"\xff")
    assert registers_of(value, {"sha256": {0: value}}) == {"sha256": {0: value}}


def test_there_may_be_as_many_lists_as_are_read():
    assert registers_of(lists(122), {"sha256": {0: bytes(32)}}) == {"sha256": {0: bytes(32)}}
    with refused(Fault.MALFORMED, match="65572 bytes of registers are in none"):
        registers_of(lists(123), {"sha256": {0: bytes(32)}})


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "0 bytes of registers are in none"),
        (BLOB[:-1], "667 bytes of registers are in none"),
        (BLOB + b"\0", "669 bytes of registers are in none"),
        (BLOB[:132] + bytes(4), "0 bytes of registers, those that the quote covers have 32"),
        (BLOB[:135] + b"\1" + BLOB[136:], "668 bytes of registers are in none"),
        (BLOB[:136] + b"\x09" + BLOB[137:], "a list of 9 registers"),
        (BLOB[:139] + b"\1" + BLOB[140:], "a list of 16777217 registers"),
        (BLOB[:140] + b"\x40" + BLOB[141:], "64 bytes of registers, those that the quote"),
        (BLOB[:140] + b"\x41" + BLOB[141:], "a register of 65 bytes"),
        (BLOB[:141] + b"\1" + BLOB[142:], "a register of 288 bytes"),
    ],
)
def test_registers_of_another_form_are_refused(data, said):
    with refused(Fault.MALFORMED, VerificationStage.FORMAT, match=said):
        registers_of(data, {"sha256": {0: bytes(32)}})


def test_both_files_are_given_or_neither():
    arguments = [
        "verify",
        str(FILES / "values.msg"),
        "--quote-signature",
        str(FILES / "values.sig"),
    ]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 2
    assert "give both --quote-signature and --quote-registers" in done.stderr


def test_a_message_alone_is_known_and_says_what_it_lacks():
    assert kind_of(read("values.msg")) == "tpm"
    done = CliRunner().invoke(main, ["verify", str(FILES / "values.msg")])
    assert done.exit_code == 3
    assert "--quote-signature" in done.stdout


def test_a_key_that_tpm2_tools_make_is_one_for_attestation():
    area = read("ak.pub")[2:]  # a TPM2B_PUBLIC
    assert attestation_key(area).name.startswith(b"\x00\x0b")


@given(st.binary(max_size=700))
def test_any_registers_are_those_of_the_quote_or_refused(data):
    try:
        document_of(read("values.msg"), read("values.sig"), data)
    except EvidenceError:
        return
