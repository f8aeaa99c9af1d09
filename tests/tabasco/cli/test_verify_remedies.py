"""What a refusal advises is done, word for word, and then the evidence is accepted.

Advice that names an option or a field of a policy is tried here; `test_no_advice_is_untried` finds
the one that is not.
"""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.serialization import Encoding

from support import dcap_evidence as dcap
from support import nvidia_devices as nvidia
from support.cca_tokens import PLATFORM_KEY, Recipe
from support.evidence_seeds import seeds
from support.psa_tokens import CHALLENGE, DEVICE, STRANGER
from support.throwaway_chain import NOON
from tabasco.appraisal import remedies
from tabasco.appraisal.checks import Acceptance, checks
from tabasco.cli import main
from tabasco.verify.proven import TcbStatus
from veracruz_utils.key_files import pem_of

VECTORS = Path(__file__).parents[2] / "vectors"
OWN = VECTORS / "tabasco"
SGX = str(OWN / "sgx/sgx-v3-a067.bin")
SGX_COLLATERAL = str(OWN / "sgx/intel-2025-06_sgx_00a06711.json")
TDX = str(OWN / "tdx/tdx-v4-b0c06f.bin")
TDX_COLLATERAL = str(OWN / "tdx/intel-2025-06_tdx_b0c06f.json")
SNP = str(OWN / "snp/milan-v3.bin")
VCEK = str(OWN / "snp/milan-v3-vcek.pem")
MILAN = str(OWN / "snp/amd-milan-ask-ark-asvk.pem")
JUNE = ["--at", "2025-06-25"]
TRIED = set()


def verify(*arguments):
    done = CliRunner().invoke(main, ["verify", *map(str, arguments), "--json"])
    assert done.exit_code in {0, 3}, done.output + done.stderr
    return json.loads(done.stdout)


def remedy_of(*arguments):
    refusal = verify(*arguments)["refusal"]
    assert refusal is not None
    assert refusal["remedy"] is not None, refusal
    options = set(re.findall(r"--[a-z-]+", refusal["remedy"]))
    TRIED.update(options)
    return refusal["remedy"], options


def follow(arguments, given):
    """Give the options that the advice names, and nothing else, until it is accepted."""
    arguments = list(arguments)
    for _ in range(8):
        if verify(*arguments)["accepted"]:
            return
        said, options = remedy_of(*arguments)
        assert options, said
        assert options <= given.keys(), said
        named = re.findall(r"(--accept-[a-z-]+)(?: ([^\s,;]+))?", said)
        if named:
            arguments += [part for pair in named for part in pair if part]
        else:
            arguments += [part for each in sorted(options) for part in (each, given.pop(each))]
    pytest.fail("the advice leads nowhere")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evidence")
    for seed in seeds():
        folder.joinpath(seed.name.replace("/", "-")).write_bytes(seed.data)
    folder.joinpath("cca").write_bytes(Recipe(platform={2395: 0x2003}).token())
    folder.joinpath("chain.pem").write_bytes(nvidia.Device().chain)
    root = nvidia.ROOT.certificate.public_bytes(Encoding.DER)
    folder.joinpath("root.der").write_bytes(root)
    for name, key in (("device", DEVICE), ("platform", PLATFORM_KEY), ("stranger", STRANGER)):
        folder.joinpath(f"{name}.pem").write_bytes(pem_of(key.public_key()))
    return folder


NOW_OF_SEEDS = next(seed for seed in seeds() if seed.name == "ear/cwt").at.isoformat()
FRESH = CHALLENGE.hex()
CASES = {
    "intel": ([SGX, *JUNE], {"--collateral": SGX_COLLATERAL, "--accept-status": None}),
    "intel, today": (
        [TDX, "--collateral", TDX_COLLATERAL],
        {"--at": "2025-06-25", "--accept-status": None},
    ),
    "too early": (
        [TDX, "--collateral", TDX_COLLATERAL, "--at", "2024-01-01"],
        {"--at": "2025-06-25"},
    ),
    "amd": (
        [SNP, "--at", "2026-03-01"],
        {"--certificate": VCEK, "--authorities": MILAN},
    ),
    "amd, half": ([SNP, "--at", "2026-03-01", "--certificate", VCEK], {"--authorities": MILAN}),
    "nitro": (
        [VECTORS / "nitro/prod-2022.bin"],
        {"--at": "2022-10-13T08:58:02Z"},
    ),
    "nvidia": (
        ["nvidia-report", "--at", NOON.isoformat()],
        {"--authorities": "chain.pem", "--root": "root.der"},
    ),
    "psa": (["psa-by-hand", "--nonce", FRESH], {"--key": "device.pem"}),
    "cca": (["cca"], {"--key": "platform.pem", "--accept-concern": None}),
    "ear as cwt": (["ear-cwt", "--at", NOW_OF_SEEDS], {"--key": "device.pem", "--nonce": FRESH}),
    "ear as jwt": (["ear-jwt", "--at", NOW_OF_SEEDS], {"--key": "device.pem"}),
    "ear, late": (
        ["ear-jwt", "--key", "device.pem"],
        {"--at": NOW_OF_SEEDS},
    ),
    "corim": (["corim-signed", "--at", NOW_OF_SEEDS], {"--key": "device.pem"}),
}


@pytest.mark.parametrize("case", CASES)
def test_the_advice_is_followed_to_acceptance(case, files, monkeypatch):
    monkeypatch.chdir(files)
    arguments, given = CASES[case]
    follow(arguments, dict(given))


def test_an_old_result_is_not_called_fresh_for_a_date(files):
    said, _ = remedy_of(files / "ear-jwt", "--key", files / "device.pem")
    assert "have fresh evidence made" in said
    assert "what held then, and not what holds now" in said


def test_a_policy_is_told_its_own_fields_and_no_options(tmp_path):
    """Options count for nothing beside a policy."""
    policy = tmp_path / "policy.toml"
    arguments = [SGX, "--collateral", SGX_COLLATERAL, *JUNE]
    measured = verify(*arguments)["proven"]["measurements"]["mrenclave"]
    text = "version = 1\n[tdx]\n"
    for _ in range(4):
        policy.write_text(text)
        found = verify(*arguments, "--policy", policy)
        if found["accepted"]:
            return
        said = found["refusal"]["remedy"]
        assert "--" not in said
        if field := re.search(r"accepts it by (.+) in \[sgx\]", said):
            text = text.replace("[sgx]\n", f"[sgx]\n{field[1]}\n")
        elif "[sgx.measurements]" in said:
            text += f'[sgx.measurements]\nmrenclave = ["{measured}"]\n'
        else:
            assert "a table for it: [sgx]" in said
            text = text.replace("[tdx]", "[sgx]")
    pytest.fail(f"refused after all: {found['refusal']}")


def test_a_nitro_document_is_as_old_as_is_allowed():
    document = VECTORS / "nitro/prod-2022.bin"
    said, options = remedy_of(document, "--at", "2022-10-13T10:00:00Z")
    assert options == {"--nonce", "--max-age"}, said
    assert verify(document, "--at", "2022-10-13T10:00:00Z", "--max-age", "120")["accepted"]


def test_what_is_never_accepted_gets_no_advice_to_accept_it():
    """A platform that the vendor knows nothing of; see `Acceptance`."""
    proven = replace(dcap.Recipe(body={}).verify(), tcb_status=TcbStatus.UNSUPPORTED)
    accepted = Acceptance(tcb_statuses=frozenset(TcbStatus))
    refused = next(each for each in checks(proven, accepted) if not each.passed)
    for by_policy in (False, True):
        said = remedies.remedy_of_check(refused, proven, by_policy=by_policy)
        assert "never accepted" in said
        assert "--" not in said


def test_a_foreign_root_is_no_reason_to_trust_it_where_the_vendors_counts(files):
    other = str(OWN / "snp/amd-turin-ask-ark-asvk.pem")
    given = ["--certificate", VCEK, "--authorities", other]
    refusal = verify(SNP, "--at", "2026-03-01", *given)["refusal"]
    assert refusal["remedy"] is None or "--root" not in refusal["remedy"]


def test_bytes_of_no_form_are_explained_once_it_is_said_what_they_were_meant_to_be(tmp_path):
    file = tmp_path / "evidence"
    file.write_bytes(b"\xff" * 40)
    _, options = remedy_of(file)
    assert options == {"--kind"}
    assert verify(file, "--kind", "nitro")["refusal"]["reason"] == "malformed"


def test_no_advice_is_untried(files, monkeypatch):
    monkeypatch.chdir(files)
    for arguments, given in CASES.values():
        follow(arguments, dict(given))
    source = Path(remedies.__file__).read_text()
    advised = set(re.findall(r"--[a-z-]+", source)) - {"--kind"}
    assert advised - TRIED == {"--accept-advisory", "--accept-debug"}
