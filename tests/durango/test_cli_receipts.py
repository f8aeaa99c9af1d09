"""`durango receipt`, and the bundles that other commands keep."""

import json
from pathlib import Path

import cbor2
import pytest

from durango.bundles import ReceiptBundle
from support.principal_rig import key_pem
from support.psa_tokens import sign1_by_hand
from support.receipts import MEMBERS_V1
from veracruz_utils.digest import Digest

SOFTWARE = "a software root of trust: it protects nothing against the owner"


@pytest.fixture
def finished(world):
    """A world where the computation is over and everything has been kept."""
    policy, folder = str(world.policy), world.folder
    world.run("attest", policy, "--output", str(folder / "attestation"))
    world.run("program", "send", policy, str(world.program), *world.who("alice"))
    send = ("data", "send", policy, world.file("b", b"bob's"), *world.who("bob"))
    world.run(*send, "--opening", str(folder / "opening"), "--receipt", str(folder / "sent"))
    world.run("data", "send", policy, world.file("c", b"carol's"), *world.who("carol"))
    world.run(
        "result", "get", policy, *world.who("carol"),
        "--output", str(folder / "result"), "--receipt", str(folder / "receipt"),
    )  # fmt: skip
    return world


def verify(world, *more: str) -> list[str]:
    return ["receipt", "verify", str(world.folder / "receipt"), *more]


def members_of(path: Path) -> dict:
    return cbor2.loads(path.read_bytes())


def spoil(path: Path, **changes) -> None:
    """Write the bundle anew with these members; those that are None are left out."""
    members = {k: v for k, v in (members_of(path) | changes).items() if v is not None}
    path.write_bytes(cbor2.dumps(members, canonical=True))


def test_a_receipt_is_verified_by_its_file_alone(finished):
    facts = finished.as_json(*verify(finished))
    (receipt,) = facts["receipts"]
    assert (receipt["number"], receipt["return_code"]) == (1, 0)
    assert [given["client_id"] for given in receipt["inputs"]] == [1, 2]
    assert facts["attestation"]["protection"].startswith(SOFTWARE)
    assert (facts["policy_is"], facts["tabasco_key_is"]) == ("the file's", "the file's")


def test_what_that_rests_on_is_told_until_it_is_compared(finished):
    own = ("--policy", str(finished.policy))
    key = ("--tabasco-key", str(finished.folder / "tabasco.pem"))
    policy = finished.rig.isolate.policy
    alone = finished.run(*verify(finished)).stdout
    assert f"this rests on policy {policy.digest}, as the file has it" in alone
    assert f"and on Tabasco's key {Digest.of(policy.tabasco_key)}" in alone
    assert "rests on" not in finished.run(*verify(finished, *own)).stdout
    told = finished.run(*verify(finished, *key)).stdout
    assert "this rests on policy" in told
    assert "and on Tabasco's key" not in told
    facts = finished.as_json(*verify(finished, *own, *key))
    assert (facts["policy_is"], facts["tabasco_key_is"]) == ("yours", "yours")


def test_ones_own_result_and_inputs_are_found_in_it(finished):
    files = ("--result", str(finished.folder / "result"), "--opening",
             str(finished.folder / "opening"))  # fmt: skip
    told = finished.run(*verify(finished, *files)).stdout
    assert "the program saw this input" in told
    digest = Digest.of(b"bob'scarol's")
    assert f"ok  result  {digest}" in told


def test_another_policy_of_ones_own_is_not_the_files(finished):
    other = finished.rig.policy(data_provision_order=[2, 1])
    own = finished.file("own.json", other.raw)
    told = finished.complain(*verify(finished, "--policy", own), status=3)
    assert str(other.digest) in told
    assert str(finished.rig.isolate.policy.digest) in told


def test_another_key_of_tabasco_is_not_the_files(finished):
    other = finished.file("other.pem", key_pem(finished.rig.attester.sonora_key))
    told = finished.complain(*verify(finished, "--tabasco-key", other), status=1)
    assert "the key given for Tabasco" in told


def test_another_result_is_not_the_receipts(finished):
    told = finished.complain(*verify(finished, "--result", finished.file("x", b"other")), status=3)
    assert str(Digest.of(b"other")) in told


def test_an_opening_of_something_else_is_not_in_the_receipt(finished):
    path = finished.folder / "opening"
    opening = json.loads(path.read_bytes())
    path.write_text(json.dumps(opening | {"digest": "0" * 64}))
    told = finished.complain(*verify(finished, "--opening", str(path)), status=3)
    assert f"{path}: the receipt's commitment to data package 0 of client" in told
    assert "that opening is of another send" in told
    path.write_text(json.dumps(opening | {"package_id": 8}))
    assert "did not see it" in finished.complain(
        *verify(finished, "--opening", str(path)), status=3
    )
    path.write_text(json.dumps(opening | {"extra": 8}))
    assert "not an opening file" in finished.complain(
        *verify(finished, "--opening", str(path)), status=1
    )


def test_a_forged_receipt_is_refused(finished):
    path = finished.folder / "receipt"
    (receipt,) = members_of(path)["receipts"]
    spoil(path, receipts=[receipt[:-1] + bytes((receipt[-1] ^ 1,))])
    assert "not by the attested isolate" in finished.complain(*verify(finished), status=3)


def test_a_receipt_beside_the_attestation_of_another_isolate_is_refused(finished):
    finished.rig.launch(finished.rig.isolate.policy)
    other = finished.folder / "other"
    finished.run("attest", str(finished.policy), "--output", str(other))
    spoil(finished.folder / "receipt", attestation=other.read_bytes())
    assert "certificate-mismatch" in finished.complain(*verify(finished), status=3)


def test_a_policy_that_was_not_attested_is_refused(finished):
    other = finished.rig.policy(data_provision_order=[2, 1])
    spoil(finished.folder / "receipt", policy=other.raw)
    told = finished.complain(*verify(finished), status=3)
    assert f"{finished.folder / 'receipt'}: attestation refused at policy" in told
    assert "a bundle that was damaged or changed since it was kept" in told
    own = ("--policy", str(finished.policy))
    told = finished.complain(*verify(finished, *own), status=3)
    assert "its attestation is for your policy, the policy in it is not" in told


def test_a_file_that_is_no_bundle_is_named_as_such(finished):
    (finished.folder / "receipt").write_bytes(b"a result, or whatever else")
    said = finished.complain(*verify(finished), status=1)
    path = finished.folder / "receipt"
    assert f"{path}: not a bundle of receipts: `durango receipt get` makes one" in said


def test_a_bundle_that_was_cut_off_or_damaged_is_told_as_that_with_its_name(finished):
    path = finished.folder / "receipt"
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    assert f"{path}: a bundle of receipts that was cut off or damaged" in finished.complain(
        *verify(finished), status=3
    )


def test_data_keep_the_attestation_that_they_were_sent_to(finished):
    sent = finished.folder / "sent"
    bundle = ReceiptBundle.parse(sent.read_bytes())
    assert bundle.receipts == ()
    assert bundle.policy == finished.policy.read_bytes()
    said = finished.complain("receipt", "verify", str(sent), status=3)
    assert "no receipt in the bundle" in said
    assert "its attestation holds" in said


class TestGet:
    def test_every_member_gets_the_newest(self, finished):
        for name in ("alice", "bob", "carol"):
            file = finished.folder / f"of-{name}"
            facts = finished.as_json(
                "receipt", "get", str(finished.policy), *finished.who(name), "--output", str(file)
            )
            assert [each["number"] for each in facts["receipts"]] == [1]
            finished.run("receipt", "verify", str(file))

    def test_of_several_rounds_it_gets_one_or_all(self, world):
        world.launch(world.rig.policy(terms={"rounds": 3}))
        isolate = world.rig.isolate
        world.provide_everything()
        for turn in range(1, 4):
            isolate.round = turn
            isolate.outcome()
        get = ("receipt", "get", str(world.policy), *world.who("alice"), "--output")
        file = str(world.folder / "receipts")
        assert "receipt 2, round 2" in world.run(*get, file, "--number", "2").stdout
        assert "receipt 3, round 3" in world.run(*get, file, "--force").stdout
        world.run(*get, file, "--all", "--force")
        facts = world.as_json("receipt", "verify", file)
        assert [each["number"] for each in facts["receipts"]] == [1, 2, 3]
        told = world.run("receipt", "verify", file).stdout
        assert "round 1" in told
        assert "round 3" in told

    def test_before_a_run_there_is_none(self, world):
        get = ("receipt", "get", str(world.policy), *world.who("bob"), "--output", "x")
        assert "no run has ended yet" in world.complain(*get, status=1)
        assert "not expected" in world.complain(*get, "--number", "1", status=3)

    def test_a_number_and_all_exclude_each_other(self, world):
        get = ("receipt", "get", str(world.policy), *world.who("bob"), "--output", "x")
        world.complain(*get, "--number", "1", "--all", status=2)


class TestBareReceipts:
    """Of the first format, and of whoever takes one out of a bundle."""

    def bare(self, world, receipt: bytes) -> list[str]:
        return ["receipt", "verify", world.file("bare", receipt)]

    def test_one_takes_the_attestation_and_the_policy_beside_it(self, finished):
        (receipt,) = members_of(finished.folder / "receipt")["receipts"]
        args = self.bare(finished, receipt)
        assert "is a receipt by itself" in finished.complain(*args, status=2)
        more = ["--attestation", str(finished.folder / "attestation"), "--policy"]
        finished.run(*args, *more, str(finished.policy))

    def test_a_bundle_takes_none(self, finished):
        more = ("--attestation", str(finished.folder / "attestation"))
        assert "omit --attestation" in finished.complain(*verify(finished, *more), status=2)

    def test_one_of_the_first_format_is_verified(self, finished):
        isolate = finished.rig.isolate
        members = MEMBERS_V1 | {
            1: isolate.policy.digest.value,
            2: isolate.policy.program_digest.value,
            3: [[1, 0, 0, bytes(32)], [2, 0, 0, bytes(32)]],
            4: Digest.of(b"bob'scarol's").value,
        }
        signed = sign1_by_hand(
            cbor2.dumps(members),
            isolate.identity.private_key,
            unprotected={33: isolate.identity.certificate},
        )
        args = [*self.bare(finished, signed), "--result", str(finished.folder / "result")]
        args += ["--attestation", str(finished.folder / "attestation")]
        args += ["--policy", str(finished.policy)]
        assert "round 1: return code 0" in finished.run(*args).stdout
        facts = finished.as_json(*args)
        assert "number" not in facts["receipts"][0]
