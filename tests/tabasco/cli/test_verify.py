"""`tabasco verify`: every kind of evidence through the command, with its report and exit status."""

import base64
import json
from pathlib import Path

import cbor2
import pytest
from click.testing import CliRunner

from support.page_text import read_alone
from support.psa_tokens import DEVICE, sign1_by_hand, with_claims
from tabasco.cli import main
from veracruz_utils.key_files import pem_of

REPOSITORY = Path(__file__).parents[3]
OWN = REPOSITORY / "tests" / "vectors" / "tabasco"
NITRO = REPOSITORY / "tests" / "vectors" / "nitro"
AZURE = REPOSITORY / "tests" / "vectors" / "tpm"
SHARED = REPOSITORY.parent / "shared" / "vectors"
needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="../shared/vectors is not there")

SGX = [OWN / "sgx/sgx-v3-a067.bin", "--collateral", OWN / "sgx/intel-2025-06_sgx_00a06711.json"]
TDX = [OWN / "tdx/tdx-v4-b0c06f.bin", "--collateral", OWN / "tdx/intel-2025-06_tdx_b0c06f.json"]
JUNE = ["--at", "2025-06-25"]
MILAN = [
    OWN / "snp/milan-v3.bin",
    "--certificate", OWN / "snp/milan-v3-vcek.pem",
    "--authorities", OWN / "snp/amd-milan-ask-ark-asvk.pem",
    "--at", "2026-03-01T00:00:00Z",
]  # fmt: skip


def run(*arguments, status=0, stdin=None):
    done = CliRunner().invoke(main, ["verify", *map(str, arguments)], input=stdin)
    if status is not None:
        assert done.exit_code == status, done.output + done.stderr
    return done


def report(*arguments, status=0, stdin=None):
    return json.loads(run(*arguments, "--json", status=status, stdin=stdin).stdout)


def test_a_quote_that_is_up_to_date_is_accepted_with_what_it_proves_and_what_not():
    told = run(*TDX, *JUNE).stdout
    assert "verdict: accepted" in told
    assert "91eb2b44d141d4ece09f0c75c2c53d247a3c68edd7fafe8a3520c942a604a407" in told
    assert "NOT proven:" in told
    assert "no nonce or report data was expected" in told
    found = report(*TDX, *JUNE)
    assert (found["kind"], found["verdict"], found["refusal"]) == ("tdx", "accepted", None)
    assert found["proven"]["tcb_status"] == "UpToDate"
    assert found["proven"]["valid_until"] == "2025-07-19T10:00:35+00:00"


def test_an_outdated_platform_is_authentic_and_refused_and_accepted_by_name():
    found = report(*SGX, *JUNE, status=3)
    assert found["authentic"]
    assert not found["accepted"]
    assert found["refusal"]["reason"] == "tcb-status"
    assert "--accept-status" in found["refusal"]["remedy"]
    named = [*JUNE, "--accept-status", "ConfigurationAndSWHardeningNeeded"]
    assert report(*SGX, *named)["accepted"]
    only = report(*SGX, *named, "--accept-advisory", "INTEL-SA-00289", status=3)
    assert only["refusal"]["reason"] == "advisory"
    run(*SGX, *named, "--accept-advisory", "INTEL-SA-00289",
        "--accept-advisory", "INTEL-SA-00615")  # fmt: skip


def test_one_changed_bit_is_not_authentic(tmp_path):
    changed = bytearray(SGX[0].read_bytes())
    changed[200] ^= 1
    forged = tmp_path / "forged.bin"
    forged.write_bytes(changed)
    found = report(forged, *SGX[1:], *JUNE, status=3)
    assert found["verdict"] == "not-authentic"
    assert found["refusal"]["stage"] == "signature"
    assert found["proven"] is None
    assert "NOT proven: anything at all" in run(forged, *SGX[1:], *JUNE, status=3).stdout


def test_time_is_the_callers():
    for at in (["--at", "2026-01-01"], []):
        late = report(*TDX, *at, status=3)
        assert late["verdict"] == "not-authentic"
        assert late["refusal"]["reason"] in {"expired", "collateral-expired"}
        assert "--at" in late["refusal"]["remedy"]


def test_a_report_is_verified_with_the_certificates_given():
    found = report(*MILAN)
    assert (found["kind"], found["accepted"]) == ("sev-snp", True)
    assert "revoked" in found["proven"]["warnings"][0]
    bare = report(MILAN[0], status=3)
    assert bare["refusal"]["reason"] == "collateral-missing"
    data = "11" * 64
    assert report(*MILAN, "--report-data", data, status=3)["refusal"]["reason"] == "report-data"


def test_documents_of_nitro_are_verified_at_their_time():
    at = ["--at", "2022-10-13 08:58:02+00:00"]
    assert report(NITRO / "prod-2022.bin", *at)["accepted"]
    debugged = [NITRO / "debug-2022.bin", "--at", "2022-10-12 13:50:06+00:00"]
    assert report(*debugged, status=3)["refusal"]["reason"] == "debug"
    assert report(*debugged, "--accept-debug")["accepted"]
    assert report(NITRO / "prod-2022.bin", status=3)["verdict"] == "not-authentic"


def test_a_machine_on_azure_is_verified_through_its_hardware():
    arguments = [
        AZURE / "azure-snp-vtpm.json",
        "--authorities", OWN / "snp/amd-milan-ask-ark-asvk.pem",
        "--at", "2025-03-01",
    ]  # fmt: skip
    found = report(*arguments, "--nonce", b"challenge".hex())
    assert (found["kind"], found["accepted"]) == ("tpm-azure", True)
    assert {"measurement", "hardware"} <= found["proven"]["measurements"].keys() | found["proven"][
        "facts"
    ].keys()
    stale = report(*arguments, "--nonce", b"another".hex(), status=3)
    assert (stale["refusal"]["reason"], stale["authentic"]) == ("nonce", True)


def test_evidence_may_be_text_and_come_from_standard_input():
    data = SGX[0].read_bytes()
    lines = "\n".join(data.hex()[start : start + 64] for start in range(0, 2 * len(data), 64))
    base64s = [base64.encodebytes(data).decode(), base64.urlsafe_b64encode(data).decode()]
    for form in (data.hex(), "0x" + data.hex() + "\n", lines, *base64s, base64s[1].rstrip("=")):
        assert report("-", *SGX[1:], *JUNE, status=3, stdin=form)["kind"] == "sgx"


@pytest.mark.parametrize("data", [b"", b"hello", b"\0" * 1184, b"\xd9\x12\x34\x01"])
def test_what_is_no_evidence_is_said_to_be_none(data):
    found = report("-", status=3, stdin=data)
    assert (found["kind"], found["verdict"]) == (None, "not-authentic")
    assert found["refusal"]["reason"] == "unknown-kind"
    assert "none of sgx, tdx" in run("-", status=3, stdin=data).stdout


def test_a_token_of_google_is_recognised():
    token = REPOSITORY / "tests/vectors/confidential_space/tdx-2025.jwt"
    arguments = [token, "--audience", "z08381475938604996746", "--at", "2025-09-05T08:30:00Z"]
    assert report(*arguments)["kind"] == "confidential-space"


def test_a_result_without_signature_is_a_forged_result():
    found = report("-", "--key", OWN.parent / "cca/platform.jwk", status=3,
                   stdin=b"eyJhbGciOiJub25lIn0.e30.")  # fmt: skip
    assert (found["kind"], found["authentic"]) == ("ear", False)


def test_what_is_malformed_is_told_before_what_is_missing():
    for kind, reason in (("sgx", "malformed"), ("sev-snp", "malformed")):
        found = report("-", "--kind", kind, status=3, stdin=b"short")
        assert found["refusal"]["reason"] == reason


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--at", "tomorrow"], "not a time such as"),
        (["--nonce", "xyz"], "not hexadecimal"),
        (["--kind", "sgz"], "'sgz' is not one of"),
        (["--accept-status", "Fine"], "is not one of"),
    ],
)
def test_wrong_usage_is_told(arguments, words):
    assert words in run(*SGX, *arguments, status=2).stderr


def test_files_that_are_not_what_they_should_be_are_named(tmp_path):
    wrong = tmp_path / "wrong.json"
    wrong.write_text("{}")
    assert f"{wrong}: " in run(SGX[0], "--collateral", wrong, status=1).stderr
    assert f"{wrong} is not a public key" in run(SGX[0], "--key", wrong, status=1).stderr
    assert "cannot read evidence" in run(tmp_path / "absent", status=1).stderr


POLICY = """
version = 1
[tdx]
debug = false
[tdx.measurements]
mrtd = [
  "91eb2b44d141d4ece09f0c75c2c53d247a3c68edd7fafe8a3520c942a604a407\
de03ae6dc5f87f27428b2538873118b7"
]
[tdx.facts]
quote_version = { one_of = ["4", "5"] }
pce_svn = { at_least = 11 }
"""


def with_policy(tmp_path, text, status=0):
    file = tmp_path / "policy.toml"
    file.write_text(text)
    return report(*TDX, *JUNE, "--policy", file, status=status)


def test_a_policy_accepts_what_it_lists_and_explains_every_check(tmp_path):
    found = with_policy(tmp_path, POLICY)
    assert [check["name"] for check in found["checks"]] == [
        "debug", "tcb-status", "measurement.mrtd", "fact.quote_version", "fact.pce_svn"
    ]  # fmt: skip
    assert all(check["passed"] for check in found["checks"])


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ("[tdx]", "[sgx]", "not-allowed"),
        ("91eb", "91ec", "measurement"),
        ("mrtd =", "mrtx =", "measurement"),
        ("at_least = 11", "at_least = 12", "fact"),
        ("pce_svn", "absent", "fact"),
        ('"4", "5"', '"5"', "fact"),
        ("debug = false", "tcb_statuses = []", "tcb-status"),
        ("[tdx.measurements]\nmrtd", "[tdx.facts.x]\none_of", "measurement"),
    ],
)
def test_whatever_a_policy_does_not_name_is_refused(tmp_path, before, after, reason):
    text = POLICY.replace("[tdx.", "[sgx.") if after == "[sgx]" else POLICY
    found = with_policy(tmp_path, text.replace(before, after, 1), status=3)
    assert found["verdict"] == "unacceptable"
    assert found["refusal"]["reason"] == reason


@pytest.mark.parametrize("component", ["boot_loader", "tee", "snp", "microcode", "fmc"])
def test_a_policy_has_a_floor_for_each_component_of_amds_firmware(tmp_path, component):
    proven = report(*MILAN)["proven"]
    measured, found = (
        proven["measurements"]["measurement"],
        int(proven["facts"][f"tcb_{component}"]),
    )
    policy = tmp_path / "policy.toml"
    for floor, status in ((found, 0), (found + 1, 3)):
        policy.write_text(
            f'version = 1\n[sev-snp.measurements]\nmeasurement = ["{measured}"]\n'
            f"[sev-snp.facts]\ntcb_{component} = {{ at_least = {floor} }}\n"
        )
        run(*MILAN, "--policy", policy, status=status)


def test_a_policy_without_measurements_accepts_none(tmp_path):
    found = with_policy(tmp_path, "version = 1\n[tdx]\n", status=3)
    assert found["refusal"]["reason"] == "measurement"
    assert "lists no measurement" in found["refusal"]["detail"]


@pytest.mark.parametrize(
    "text",
    [
        "", "version = 0", "version = 1\n[abc]", "version = 1\n[tdx]\ndebug = 1", "version =",
        "version = 1\n[tdx]\nmeasurement = []", "version = 1\n[tdx.facts]\nx = {}",
        'version = 1\n[tdx.measurements]\nmrtd = ["abc"]', "\xff",
    ],
)  # fmt: skip
def test_a_policy_that_makes_no_sense_is_refused(tmp_path, text):
    file = tmp_path / "policy.toml"
    file.write_bytes(text.encode("latin-1"))
    done = run(*TDX, *JUNE, "--policy", file, status=1)
    assert "appraisal policy" in done.stderr


# Every shared vector of hardware, and what its own page says of it.

KEYED = {
    "tfm-cca-token": "tfm-cca-platform.pem",
    "tfm-cca-example-legacy": "tfm-cca-platform.pem",
    "cca-trustee-example": "cca-trustee-cpak.jwk",
}


def hardware_vectors():
    for kind in ("sgx", "tdx", "snp", "nitro", "cca") if SHARED.exists() else ():
        for vector in json.loads((SHARED / kind / "expected.json").read_text())["vectors"]:
            yield from cases(SHARED / kind, kind, vector)


def cases(folder, kind, vector):
    name = vector["id"]
    if kind in {"sgx", "tdx"}:
        for used in vector.get("with_collateral", ()):
            means = ["--collateral", folder / used["collateral"], "--at", used["verify_at"]]
            good = used["tcb_status"] == "UpToDate" and vector["expect"][:6] in {"accept", "UpToDa"}
            yield pytest.param(folder / vector["file"], means, good, True, id=name)
    elif kind == "snp":
        means = ["--certificate", folder / vector["signing_cert"],
                 "--authorities", folder / vector["amd_chain"],
                 "--at", vector["verify_at"][-10:]]  # fmt: skip
        good = vector["expect"].startswith("accept")
        real = vector["crypto"]["report_signature"] is True
        yield pytest.param(folder / vector["report"], means, good, real, id=name)
    elif kind == "nitro" and "crypto" in vector:
        good = vector["expect"].startswith("accept")
        yield pytest.param(folder / vector["file"], ["--at", vector["verify_at"]], good, True,
                           id=name)  # fmt: skip
    elif name in KEYED:
        means = ["--key", folder / KEYED[name]]
        yield pytest.param(folder / vector["files"][0], means, True, True, id=name)


@needs_shared
@pytest.mark.parametrize(("file", "means", "accepted", "authentic"), [*hardware_vectors()])
def test_every_shared_vector_of_hardware_gets_its_verdict(file, means, accepted, authentic):
    found = report(file, *means, status=0 if accepted else 3)
    if "trailing-garbage" in file.name:
        assert found["refusal"]["reason"] == "trailing-bytes"
        return
    assert found["accepted"] is accepted
    assert found["authentic"] is authentic


@needs_shared
def test_what_evidence_does_not_say_of_debugging_is_not_told_as_proven():
    quote = SHARED / "tpm/tpm2-quote-rsa.json"
    found = report(quote, "--accept-concern", "tpm.uncertified-key")
    assert found["proven"]["debug"] is None
    assert "debug" not in {each["name"] for each in found["checks"]}
    assert any("inspected" in each for each in found["not_proven"])


@needs_shared
def test_a_policy_has_to_name_a_tpm_key_that_nobody_certifies(tmp_path):
    quote = SHARED / "tpm/tpm2-quote-rsa.json"
    key = report(quote, status=3)["proven"]["facts"]["attestation-key"]
    pcrs = report(quote, status=3)["proven"]["measurements"]["pcrs"]
    policy = tmp_path / "policy.toml"
    text = 'version = 1\n[tpm]\nconcerns = ["tpm.uncertified-key"]\n'
    text += f'[tpm.measurements]\npcrs = ["{pcrs}"]\n'
    policy.write_text(text)
    refused = report(quote, "--policy", policy, status=3)
    assert refused["refusal"]["reason"] == "unknown-signer"
    assert key in refused["refusal"]["detail"]
    policy.write_text(text + f'[tpm.facts]\nattestation-key = {{ equals = "{key}" }}\n')
    assert report(quote, "--policy", policy)["accepted"]


@needs_shared
@pytest.mark.parametrize(
    ("file", "key", "accepted"),
    [
        ("rfc9783-a1-sign1.cbor", "rfc9783-a1-iak.jwk", True),
        ("rfc9783-a1-sign1.cbor", "tfm-public.pem", False),
        ("veraison-e2e-psa-evidence.cbor", "veraison-e2e-key.jwk", None),
        ("iat-malformed.cbor", "tfm-public.pem", False),
    ],
)
def test_psa_tokens_are_verified_with_the_key_given(file, key, accepted):
    folder = SHARED / "psa"
    found = report(
        folder / file, "--key", folder / key, "--accept-concern", "psa.old-profile",
        status=None,
    ) if accepted is None else report(
        folder / file, "--key", folder / key, status=0 if accepted else 3
    )  # fmt: skip
    assert found["kind"] == "psa"
    if accepted is not None:
        assert found["accepted"] is accepted
    if accepted:
        assert "which hardware signed: a registered key did" in found["not_proven"]


def test_a_token_with_the_claims_of_2021_is_verified_by_the_key_given(tmp_path):
    token, key = tmp_path / "token.cbor", tmp_path / "device.pem"
    claims = {-75008: b"\1" * 32, -75006: b"\2" * 32, -75010: b"\3" * 32, -75001: b"enclave"}
    token.write_bytes(sign1_by_hand(cbor2.dumps(claims)))
    key.write_bytes(pem_of(DEVICE.public_key()))
    answered = [token, "--key", key, "--nonce", "01" * 32]
    assert report(*answered, status=3)["refusal"]["reason"] == "unsupported-version"
    found = report(*answered, "--accept-concern", "psa.old-profile")
    assert (found["kind"], found["accepted"]) == ("psa", True)
    assert found["proven"]["measurements"] == {"enclave": "02" * 32}
    assert found["proven"]["facts"] == {
        "profile": "veracruz-2021",
        "certificate-digest": "03" * 32,
        "enclave-name": "enclave",
    }
    stale = report(token, "--key", key, "--nonce", "00" * 32, status=3)
    assert stale["refusal"]["reason"] == "nonce-mismatch"
    assert "names no instance" in report(token, status=3)["refusal"]["detail"]


@pytest.mark.parametrize(
    ("claim", "fact"),
    [
        ({}, {}),
        ({-76003: []}, {"isolation": "none"}),
        ({-76003: ["landlock", "seccomp"]}, {"isolation": "landlock seccomp"}),
    ],
)
def test_the_layers_that_a_token_says_are_in_force_are_a_fact(tmp_path, claim, fact):
    token, key = tmp_path / "token.cbor", tmp_path / "device.pem"
    token.write_bytes(sign1_by_hand(with_claims(claim)))
    key.write_bytes(pem_of(DEVICE.public_key()))
    facts = report(token, "--key", key)["proven"]["facts"]
    assert {name: value for name, value in facts.items() if name == "isolation"} == fact


@pytest.mark.parametrize("command", [("verify",), ("policy", "explain")])
def test_names_that_no_evidence_has_are_warned_of_by_whatever_reads_a_policy(
    tmp_path, monkeypatch, command
):
    monkeypatch.setenv("TABASCO_STATE", str(tmp_path / "state"))
    file = tmp_path / "policy.toml"
    file.write_text('version = 1\n[tdx.measurements]\nmrtx = ["00"]\n')
    assert CliRunner().invoke(main, ["policy", "set", str(file)]).exit_code == 0
    done = CliRunner().invoke(main, [*command, str(TDX[0]), "--policy", str(file)])
    assert done.exit_code == 3
    assert "evidence of tdx has no measurement 'mrtx'" in done.stderr


class TestPages:
    """What `verify --html` writes."""

    @pytest.fixture
    def html(self, tmp_path):
        return tmp_path / "page.html"

    @pytest.mark.parametrize(("words", "status"), [((*TDX, *JUNE), 0), ((*SGX, *JUNE), 3)])
    def test_a_page_says_what_the_command_says(self, html, words, status):
        text = run(*words, "--html", html, status=status).stdout
        page = read_alone(html.read_text())
        found = report(*words, status=status)
        for name, value in found["proven"]["facts"].items():
            assert name in page.text
            assert value in page.text
        for each in found["checks"]:
            assert f"{each['name']}: {'passed' if each['passed'] else 'failed'}" in page.text
            assert each["detail"] in page.text
        for line in (*found["not_proven"], *found["proven"]["warnings"]):
            assert line in page.text
        verdict = text.partition("verdict: ")[2].partition("\n")[0]
        assert verdict in page.text
        if found["refusal"] is not None:
            assert f"refused: {found['refusal']['detail']}" in page.text
            assert found["refusal"]["remedy"] in page.text

    def test_of_bytes_that_prove_nothing_the_page_shows_nothing(self, html, tmp_path):
        file = tmp_path / "<b>.bin"
        file.write_bytes(b"no evidence at all")
        run(file, "--html", html, status=3)
        page = read_alone(html.read_text())
        assert "not authentic" in page.text
        assert "anything at all; the content is not shown" in page.text
        assert "What is proven" not in page.text
        assert str(file) in page.text

    def test_a_page_that_is_there_is_written_over_by_force_alone(self, html):
        html.write_text("mine")
        assert str(html) in run(*TDX, *JUNE, "--html", html, status=1).stderr
        assert html.read_text() == "mine"
        run(*TDX, *JUNE, "--html", html, "--force")
        read_alone(html.read_text())
