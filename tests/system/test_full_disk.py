"""Every writer of files, on a disk that is full: a clear error, nothing half-written, nothing lost.

For each writer the disk has room for no page, then for one more, and so on until the command
succeeds: so each of its files is one for which there is no room once. A failure names a file on the
disk and leaves everything as it was; with room the same command, without --force, does its work.
"""

import itertools
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from colima.runtime import ComputationState
from durango.receipts import CommitmentOpening
from sonora.evidence.software import PUBLIC_KEY_FILE, SoftwareRoot
from support.runtime_guests import COLLECTOR, HELLO
from support.small_disk import small_disk
from support.stack import DATA, PI, RESULT, Finished, new_party
from veracruz_utils.digest import Digest
from veracruz_utils.key_files import p256_key_of_pem
from veracruz_utils.public_keys import der_of

ROOT = Path(__file__).parents[2]
PROGRAMS = ["sonora", "tabasco", "durango", "tlaxcala", "veracruz-sdk",
            "freestanding-execution-engine"]  # fmt: skip
_MOST_PAGES = 400


@dataclass(frozen=True)
class Writer:
    """A command that writes.

    Attributes:
        words: the command; {disk} and {given} stand for the disk and for a folder of files.
        prepare: what is there before; commands in the same words.
        leaves: in the names of files that may be left: SQLite's, which looks after its own, and
            lock and objects of a store that its index does not name. A regular expression.
    """

    words: str
    prepare: tuple[str, ...] = ()
    leaves: str | None = None

    @property
    def name(self) -> str:
        return " ".join(itertools.takewhile(lambda word: not re.search("[-/{]", word),
                                            self.words.split()[1:])) or "run"  # fmt: skip


WRITERS = [
    Writer("sonora init --state {disk}/sonora"),
    Writer("tabasco init --state {disk}/tabasco", leaves=r"\.db"),
    Writer(
        "tabasco root add --state {disk}/tabasco --name ours {given}/root.pem",
        prepare=("tabasco init --state {disk}/tabasco",),
        leaves=r"\.db",
    ),
    Writer(
        "tabasco keys rotate --state {disk}/tabasco",
        prepare=("tabasco init --state {disk}/tabasco",),
        leaves=r"\.db",
    ),
    Writer(
        "tabasco administrator add --name alice {disk}/token --state {disk}/tabasco",
        prepare=("tabasco init --state {disk}/tabasco",),
        leaves=r"\.db",
    ),
    Writer(
        "tabasco tenant add --state {disk}/tabasco lab",
        prepare=("tabasco init --state {disk}/tabasco",),
        leaves=r"\.db",
    ),
    Writer(
        "tabasco collateral import {collateral} --store {disk}/store", leaves=r"/objects/|/lock$"
    ),
    Writer(
        "tabasco collateral export {disk}/snapshot.zip --store {disk}/store",
        prepare=("tabasco collateral import {collateral} --store {disk}/store",),
    ),
    Writer("durango identity new --name alice --output {disk}/alice"),
    Writer(
        "durango identity new --name alice --output {disk}/alice --force",
        prepare=("durango identity new --name alice --output {disk}/alice",),
    ),
    Writer(
        "durango policy new --identity {given}/party.cert.pem PiProvider,ResultReader"
        " --program {given}/program.wasm --platform linux-software-root="
        + "5a"
        * 32
        + " --sinaloa 127.0.0.1:3000 --tabasco 127.0.0.1:3010 --tabasco-key {given}/root.pem"
        " --output {disk}/policy.json"
    ),
    Writer(
        "durango release trust {given}/root.pem --fingerprint {fingerprint} --config {disk}/config"
    ),
    Writer("tlaxcala certify {given}/program.wasm --output {disk}/certificate"),
    Writer("veracruz-sdk copy-example nop {disk}"),
    Writer("veracruz-sdk encode --type Vec<(String,u8)> {given}/people.csv {disk}/people.dat"),
    Writer("veracruz-sdk decode --type String {given}/text.dat {disk}/text.json"),
    Writer("veracruz-sdk generate people --size 40 --overlap 5 {disk}/a.csv {disk}/b.csv"),
    Writer("veracruz-sdk new {disk}/project --language c"),
    Writer("veracruz-sdk generate linear-regression --size 600 --output {disk}"),
    Writer("freestanding-execution-engine run {given}/program.wasm --output {disk}/result"),
]


@pytest.fixture(scope="module")
def given(tmp_path_factory) -> Path:
    """Files that commands read."""
    folder = tmp_path_factory.mktemp("given")
    party = new_party("party")
    (folder / "party.cert.pem").write_bytes(party.certificate_pem())
    (folder / "program.wasm").write_bytes(HELLO)
    (folder / "people.csv").write_text("".join(f"clare {number},39\n" for number in range(600)))
    (folder / "text.dat").write_bytes(b"\xb8\x17" + b"a" * 3000)
    SoftwareRoot.create(folder / "root")
    (folder / "root.pem").write_bytes((folder / "root" / PUBLIC_KEY_FILE).read_bytes())
    return folder


@pytest.fixture(scope="module")
def disk(tmp_path_factory):
    with small_disk(PROGRAMS, tmp_path_factory.mktemp("small")) as disk:
        yield disk


@pytest.fixture
def run(disk, given):
    """Runs a command in the words of `Writer`."""
    key = p256_key_of_pem((given / "root.pem").read_bytes())
    collateral = ROOT / "tests/vectors/tabasco/sgx/intel-2025-06_sgx_00a06711.json"
    terms = {
        "collateral": collateral,
        "disk": disk.path,
        "given": given,
        "fingerprint": Digest.of(der_of(key)),
    }
    yield lambda words: disk.run(*words.format(**terms).split())
    disk.free()
    disk.clear()


def failed(disk, done: Finished) -> str:
    """What a command said that found no room; it named the file."""
    assert done.status == 1, (done.status, done.out, done.err)
    assert str(disk.path) in done.err
    assert re.search("(?i)no space left on device|is its disk full", done.err), done.err
    assert "internal error" not in done.err
    return done.err


@pytest.mark.parametrize("writer", WRITERS, ids=lambda writer: writer.name)
def test_a_full_disk_fails_a_writer_cleanly_and_loses_nothing(disk, run, writer):
    for words in writer.prepare:
        run(words).done()
    before = disk.content()
    failures = 0

    def settled(content: dict[str, tuple[int, str]]) -> dict[str, tuple[int, str]]:
        leaves = re.compile(writer.leaves or "$^")
        return {name: each for name, each in content.items() if not leaves.search(name)}

    for leaving in range(0, _MOST_PAGES, 8 if writer.leaves == r"\.db" else 1):
        disk.fill(leaving=leaving)
        done = run(writer.words)
        if done.status == 0:
            break
        failures += 1
        told = failed(disk, done)
        assert settled(disk.content()) == settled(before), told
    else:
        pytest.fail("it never succeeds")
    assert failures
    disk.free()
    disk.clear()
    for words in writer.prepare:
        run(words).done()
    # Once without any room, once with all of it.
    disk.fill(leaving=0)
    failed(disk, run(writer.words))
    disk.free()
    run(writer.words).done()


def test_a_cache_of_code_does_without_what_it_cannot_write(disk, run):
    words = "freestanding-execution-engine run {given}/program.wasm --cache {disk}/cache"
    run(words).done()
    known = disk.content()
    disk.clear()
    disk.fill(leaving=0)
    failed(disk, run(words))  # without its key there is no cache
    disk.fill(leaving=1)
    assert run(words).done().out == "hello"
    assert set(disk.content()) < set(known)
    disk.free()
    run(words).done()
    assert set(disk.content()) == set(known)


def test_of_an_image_for_which_there_is_no_room_nothing_is_left(disk, run):
    disk.fill(leaving=100)
    failed(disk, run("sonora image build {disk}/image --archive {disk}/archive"))
    assert disk.content() == {}


def test_an_opening_is_written_or_nothing_is_sent(disk, stack):
    roles = [[PI], [DATA], [RESULT]]
    with stack.computation(*roles, program=COLLECTOR, data=[1]) as computation:
        computation.send_program()
        opening = disk.path / "opening"
        words = ["data", "send", computation.policy_file, computation.file(b"a secret"),
                 "--opening", opening, "--sinaloa", computation.address,
                 *computation.who(1)]  # fmt: skip
        disk.fill(leaving=0)
        disk.run("durango", *words).refused(1, f"cannot write {opening}: no space left on device")
        assert computation.state() is ComputationState.DATA_SOURCES_LOADING
        assert disk.content() == {}
        disk.fill(leaving=1)
        disk.run("durango", *words).done()
        kept = CommitmentOpening.from_json(disk.read("opening"))
        assert kept.digest == Digest.of(b"a secret")
    disk.free()
    disk.clear()


def test_a_result_and_its_receipt_are_written_together_and_can_be_fetched_again(disk, stack):
    with stack.computation([PI, RESULT], program=HELLO) as computation:
        computation.send_program()
        output, receipt = disk.path / "result", disk.path / "receipt"
        words = ["result", "get", computation.policy_file, "--output", output,
                 "--receipt", receipt, "--sinaloa", computation.address,
                 *computation.who(0)]  # fmt: skip
        for leaving, named in ((0, output), (1, receipt)):
            disk.fill(leaving=leaving)
            disk.run("durango", *words).refused(1, f"cannot write {named}: no space left")
            assert disk.content() == {}
        disk.fill(leaving=8)  # a bundle is larger than the result
        disk.run("durango", *words).done()
        assert disk.read("result") == b"hello"
        attested = disk.path / "attestation"
        words = ["attest", computation.policy_file, "--output", attested,
                 "--sinaloa", computation.address]  # fmt: skip
        disk.fill(leaving=0)
        disk.run("durango", *words).refused(1, f"cannot write {attested}: no space left")
        disk.free()
        disk.run("durango", *words).done()
    disk.clear()


KNOWN = {
    # The one writer of files, tried above.
    "veracruz_shells/src/veracruz_shells/files.py",
    # A store's lock, which is empty, and SQLite's file before it is SQLite's.
    "tabasco/src/tabasco/collateral/store.py",
    "tabasco/src/tabasco/registry/sqlite.py",
    # A cache that does without what it cannot write, in a package that may not load the writer.
    "execution_engine/src/execution_engine/code_cache.py",
    # Folders that are built, and removed as a whole when that fails; and temporary ones.
    "sdk/src/sdk/toolchains/assemblyscript.py",
    "sdk/src/sdk/toolchains/cargo.py",
    "sdk/src/sdk/toolchains/fetched.py",
    "sdk/src/sdk/toolchains/python_core.py",
    "sdk/src/sdk/toolchains/rust_target.py",
    "sinaloa_operator/src/sinaloa_operator/asking.py",
    "sonora/machine/src/sonora_machine/image/fetch.py",
    "sonora/machine/src/sonora_machine/image/parts.py",
    "sonora/machine/src/sonora_machine/image/resolve.py",
    "sonora/src/sonora/image/build.py",
    "sonora/src/sonora/image/local.py",
    "veracruz/src/veracruz/demo.py",
    "veracruz/src/veracruz/local.py",
    "veracruz/src/veracruz/simulation/adversaries.py",
    "veracruz_image/src/veracruz_image/archive.py",
    "veracruz_image/src/veracruz_image/folder.py",
    # What is put into a file that the one writer has opened.
    "sdk/src/sdk/commands/encoding.py",
    # A file that is memory and has no disk.
    "sonora/machine/src/sonora_machine/measure/snp.py",
    # Devices, pipes and files of the kernel, and a mount that was just made.
    "sonora/machine/src/sonora_machine/guest/closing.py",
    "sonora/machine/src/sonora_machine/guest/init.py",
    "mexico_city/src/mexico_city/sandbox/descriptors.py",
    "sonora/src/sonora/evidence/base.py",
    "sonora/src/sonora/evidence/nsm.py",
    "sonora/src/sonora/evidence/tpm/transport.py",
    "sonora/src/sonora/image/kernel_calls.py",
    "sonora/src/sonora/image/starter.py",
    "sonora/src/sonora/standard_error.py",
}


def test_every_place_that_opens_a_file_for_writing_is_known():
    """New ones use `veracruz_shells.files`, or are tried on a full disk and added here."""
    opens = re.compile(
        r"write_bytes\(|write_text\(|O_CREAT|O_WRONLY|O_RDWR|mkstemp|\.touch\(|copytree|copyfile"
        r"|shutil\.copy|open\([^)]*[\"'][rwax]?b?[+wax]|fdopen\([^)]*[\"'][wax]"
    )
    found = {
        str(path.relative_to(ROOT))
        for source in ("*/src", "sonora/machine/src")
        for path in ROOT.glob(f"{source}/**/*.py")
        if opens.search(path.read_text())
    }
    assert not found - KNOWN, "write by veracruz_shells.files, or try it on a full disk and say why"
