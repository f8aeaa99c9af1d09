"""The commands about policies, reference values, revocations and the audit log."""

import json

import pytest
from click.testing import CliRunner

from psa_attestation.jose.jws import sign_jws
from support import dcap_evidence as dcap
from support.enrolment import new_key, pem
from tabasco.cli import main
from tabasco.registry.bundles import BUNDLE_TYPE

VALUE = bytes(range(48))


def policy(version, body="[tdx]\n"):
    return f"version = {version}\n{body}".encode()


def bundle(key, version=1, values=None, **changes):
    document = {
        "version": version,
        "values": [{"kind": "tdx", "measurement": "mrtd", "value": VALUE.hex()}]
        if values is None
        else values,
    }
    signed = sign_jws(json.dumps(document | changes).encode(), key, typ=BUNDLE_TYPE, kid=None)
    return signed.encode()


@pytest.fixture
def tabasco(tmp_path):
    def run(*arguments, status=0, stdin=None):
        done = CliRunner().invoke(
            main, [*map(str, arguments), "--state", str(tmp_path / "state")], input=stdin
        )
        assert done.exit_code == status, done.output + done.stderr
        return done

    return run


def printed(done):
    return json.loads(done.stdout)


def test_an_operator_works_with_policies_by_command(tabasco, tmp_path):
    tabasco("init")
    file = tmp_path / "policy.toml"
    file.write_bytes(policy(1))
    assert printed(tabasco("policy", "set", file, "--json"))["version"] == 1
    assert tabasco("policy", "show").stdout == policy(1).decode()
    assert "version 1" in tabasco("policy", "set", "-", stdin=policy(1)).stdout
    assert (
        "higher version" in tabasco("policy", "set", "-", stdin=policy(1, "[sgx]"), status=1).stderr
    )
    assert len(printed(tabasco("policy", "list", "--json"))["policies"]) == 1


def test_an_operator_is_told_of_names_that_nobody_gives(tabasco):
    misspelt = b'[sgx]\nconcerns = ["sgx.fine"]\n[sgx.measurements]\nmrenclav = ["00"]\n'
    told = tabasco("policy", "set", "-", stdin=b"version = 1\n" + misspelt).stderr
    assert "no measurement 'mrenclav'" in told
    assert "no verifier has a concern 'sgx.fine'" in told
    right = b'[tdx]\nconcerns = ["tdx.pks"]\n[tdx.measurements]\nrtmr3 = ["00"]\n'
    assert tabasco("policy", "set", "-", stdin=b"version = 2\n" + right).stderr == ""
    add = ("reference-values", "add", VALUE.hex(), "--kind")
    assert "no measurements" in tabasco(*add, "ear", "--measurement", "x").stderr
    assert tabasco(*add, "tdx", "--measurement", "mrtd").stderr == ""


def test_an_operator_is_told_what_would_come_of_evidence(tabasco, tmp_path):
    recipe = dcap.Recipe()
    quote, collateral = tmp_path / "quote.bin", tmp_path / "store"
    quote.write_bytes(recipe.quote())
    collateral.mkdir()
    draft = tmp_path / "draft.toml"
    draft.write_bytes(policy(9))
    tabasco("policy", "set", "-", stdin=policy(1))
    at = ("--at", dcap.NOON.isoformat(), "--store", collateral, "--json")
    report = printed(tabasco("policy", "explain", quote, *at, status=3))
    assert (report["kind"], report["refusal"]["reason"]) == ("sgx", "collateral-missing")
    assert printed(tabasco("policy", "explain", quote, "--policy", draft, *at, status=3)) == report
    quote.write_bytes(b"nothing")
    assert "give the kind with --kind" in tabasco("policy", "explain", quote, *at, status=1).stderr
    draft.write_bytes(b"version = 0")
    quote.write_bytes(recipe.quote())
    refused = tabasco("policy", "explain", quote, "--policy", draft, *at, status=1)
    assert "cannot be read" in refused.stderr


def test_an_operator_works_with_reference_values_by_command(tabasco, tmp_path):
    added = printed(
        tabasco("reference-values", "add", "--kind", "tdx", "--measurement", "mrtd",
                "--label", "r1", "--not-after", "2030-01-01", VALUE.hex(), "--json")
    )  # fmt: skip
    assert added["not_after"].startswith("2030-01-01")
    number = added["number"]
    assert VALUE.hex() in tabasco("reference-values", "list").stdout
    assert printed(tabasco("reference-values", "show", number, "--json")) == added
    key = new_key()
    file = tmp_path / "maker.pem"
    file.write_bytes(pem(key))
    tabasco("reference-values", "provider", "add", "--name", "maker", file)
    other = [{"kind": "sgx", "measurement": "mrenclave", "value": "22" * 32}]
    taken = tabasco("reference-values", "import", "-", "--json", stdin=bundle(key, 7, other))
    taken_over = {"provider": "maker", "version": 7, "values": 1, "left_out": 0, "ended": 0}
    assert printed(taken) == taken_over
    assert "maker  version 7" in tabasco("reference-values", "provider", "list").stdout
    tabasco("reference-values", "remove", number)
    assert (
        "there is no reference value"
        in tabasco("reference-values", "show", number, status=1).stderr
    )
    assert (
        "not hexadecimal"
        in tabasco(
            "reference-values", "add", "--kind", "tdx", "--measurement", "m", "xyz", status=2
        ).stderr
    )


def test_revocations_and_the_audit_log_by_command(tabasco, tmp_path):
    tabasco("init")
    file = tmp_path / "key.pem"
    file.write_bytes(pem(new_key()))
    tabasco("revoke", "measurement", "33" * 32, "--reason", "a flaw")
    tabasco("revoke", "key", file)
    assert "a flaw" in tabasco("revoke", "list").stdout
    assert "32, 48 or 64 bytes" in tabasco("revoke", "measurement", "33", status=1).stderr
    head = tmp_path / "head"
    head.write_text(tabasco("audit", "head").stdout)
    tabasco("revoke", "measurement", "44" * 32)
    shown = printed(tabasco("audit", "show", "--json"))["entries"]
    assert [each["action"] for each in shown] == [
        "revoke-measurement", "revoke-key", "revoke-measurement"
    ]  # fmt: skip
    found = printed(tabasco("audit", "verify", "--head", head, "--json"))
    assert (found["entries"], found["kept"]) == (3, 2)
    assert "contains the kept head" in tabasco("audit", "verify", "--head", head).stdout
    (tmp_path / "other").write_text("AAAA")
    assert "head" in tabasco("audit", "verify", "--head", tmp_path / "other", status=1).stderr
