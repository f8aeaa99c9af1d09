"""A machine that its TPM vouches for, from the manufacturer's root to a result: real processes.

The TPM is swtpm, with the certificates of a manufacturer of its own making.
"""

import contextlib
import hashlib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import select, update

from sonora.evidence.tpm.commands import Tpm
from sonora.evidence.tpm.source import TpmSource
from support import event_logs, swtpm
from support.runtime_guests import HELLO
from support.stack import PI, RESULT, Stack, run
from support.swtpm import needs_swtpm
from tabasco.registry.database import Database, sqlite_url
from tabasco.registry.models import InstanceRow
from tabasco.verify.eventlog.log import parse_event_log
from veracruz_utils.policy import PinnedRegister

pytestmark = needs_swtpm
LOG = event_logs.boot()


@pytest.fixture(scope="module")
def maker(tmp_path_factory):
    return swtpm.manufacturer(tmp_path_factory.mktemp("manufacturer"))


@pytest.fixture(scope="module")
def machine(maker, tmp_path_factory):
    """The TPM of a machine that has booted."""
    state = maker.make("machine")
    with swtpm.running(state) as tpm:
        for event in parse_event_log(LOG).events:
            if event.extends:
                tpm.extend(event.register, event.digests["sha256"])
        yield tpm


@pytest.fixture(scope="module")
def site(tmp_path_factory, maker, machine):
    """A Tabasco that trusts the manufacturer, and accepts what the machine booted."""
    site = Stack(tmp_path_factory.mktemp("site"))
    state = site.folder / "tabasco"
    run("tabasco", "root", "add", "--state", state, "--name", "maker", maker.root).done()
    digests = [event.digests["sha256"].hex() for event in parse_event_log(LOG).of(4)]
    pcr5 = Tpm(machine.place.open()).registers()[5].hex()
    policy = site.folder / "appraisal.toml"
    policy.write_text(
        f'version = 1\n[tpm.measurements]\npcr5 = ["{pcr5}"]\n'
        f"[tpm.events]\npcr4 = {{ sequence = {digests} }}\n"
    )
    run("tabasco", "policy", "set", "--state", state, policy).done()
    (site.folder / "log").write_bytes(LOG)
    own = TpmSource(machine.settings()).endorsement.certificate
    pem = x509.load_der_x509_certificate(own).public_bytes(Encoding.PEM)
    (site.folder / "ek.pem").write_bytes(pem + maker.issuer.read_bytes())
    yield site
    site.close()


def options(site, tpm, name):
    return (
        "--evidence", "tpm", "--tpm", tpm.place, "--tpm-endorsement", site.folder / "ek.pem",
        "--tpm-event-log", site.folder / "log", "--state", site.folder / name,
        "--tabasco", site.tabasco_address, "--socket", site.folder / f"{name}.sock",
        "--image", site.image.folder,
    )  # fmt: skip


@pytest.fixture(scope="module")
def sonora(site, machine):
    """A root isolate in that machine, enrolled."""
    sonora = site.serve("sonora", *options(site, machine, "by-tpm"))
    sonora.wait_ready()
    return sonora


@pytest.fixture(scope="module")
def registers(machine):
    """What the machine's TPM holds, asked of itself."""
    return Tpm(machine.place.open()).registers()


@contextlib.contextmanager
def without_machines(site):
    """Meanwhile the register of instances is as an older Tabasco left it."""
    with Database.open(sqlite_url(site.folder / "tabasco" / "tabasco.db")) as database:
        with database.writing() as session:
            kept = dict(session.execute(select(InstanceRow.id, InstanceRow.machine)).all())
            session.execute(update(InstanceRow).values(machine=None))
        yield kept
        with database.writing() as session:
            for number, machine in kept.items():
                session.execute(update(InstanceRow).filter_by(id=number).values(machine=machine))


def pinned(**registers):
    return [PinnedRegister(name, frozenset({value})) for name, value in registers.items()]


def test_an_isolate_behind_a_tpm_computes(site, sonora):
    with site.computation([PI, RESULT], program=HELLO, sonora=sonora, platform="tpm") as done:
        attestation = done.durango("attest").done().out
        assert "tpm" in attestation
        done.send_program()
        assert done.result(0) == b"hello"
        assert done.shut_down(0) == 0
    state = site.folder / "tabasco"
    told = run("tabasco", "instance", "list", "--state", state, "--json").done().json
    (instance,) = [each for each in told["instances"] if each["platform"] == "tpm"]
    assert instance["root"] == "maker"


def test_a_policy_that_pins_the_machine_is_met_and_both_chains_are_told(site, sonora, registers):
    machine = pinned(pcr4=registers[4], pcr5=registers[5])
    with site.computation(
        [PI, RESULT], program=HELLO, sonora=sonora, platform="tpm", machine=machine
    ) as done:
        text = done.durango("attest").done().out
        told = done.durango("attest", "--json").done().json
        page = done.folder / "attested.html"
        done.durango("attest", "--html", page).done()
        done.send_program()
        assert done.result(0) == b"hello"
    assert told["machine"] == {f"pcr{number}": each.hex() for number, each in enumerate(registers)}
    checks = [each for each in told["checks"] if each["check"] == "machine"]
    assert [each["found"] for each in checks] == [
        f"pcr{number} {registers[number].hex()}" for number in (4, 5)
    ]
    assert [each["link"] for each in told["chain"]] == [
        "hardware root", "machine", "machine", "machine", "Sonora's key", "runtime image", "isolate"
    ]  # fmt: skip
    key = told["instance_id"]
    for shown in (text, page.read_text().replace("&#x27;", "'")):
        found = [shown.rindex(each) for each in (registers[5].hex(), key, str(done.policy.digest))]
        assert found[0] >= 0
        for word in ("hardware root", "Sonora's key", "runtime image", "also measured: pcr0"):
            assert word in shown
    places = [text.index(each) for each in ("   hardware root", "-> Sonora's", "-> isolate")]
    assert places == sorted(places)


@pytest.mark.parametrize("command", ["attest", "program send"])
def test_a_policy_that_pins_another_machine_is_not_met(site, sonora, registers, command):
    other = hashlib.sha256(b"another kernel").digest()
    with site.computation(
        [PI, RESULT],
        program=HELLO,
        sonora=sonora,
        platform="tpm",
        machine=pinned(pcr5=registers[5], pcr4=other),
    ) as computation:
        more = [] if command == "attest" else [computation.file(HELLO)]
        client = None if command == "attest" else 0
        refused = computation.durango(command, *more, client=client)
        refused.refused(
            3,
            "attestation refused at machine",
            f"pcr4 {registers[4].hex()}",
            other.hex(),
            "sonora machine measure",
        )


def test_a_policy_that_pins_a_machine_is_not_met_by_an_enrolment_without_it(
    site, sonora, registers
):
    """As one that an older Tabasco wrote, until it is made anew."""
    with site.computation(
        [PI, RESULT],
        program=HELLO,
        sonora=sonora,
        platform="tpm",
        machine=pinned(pcr4=registers[4]),
    ) as computation:
        computation.durango("attest").done()
        with without_machines(site) as kept:
            refused = computation.durango("attest")
        computation.durango("attest").done()
    refused.refused(3, "refused at machine", "it tells nothing of the machine", "enrol again")
    assert sum(each is not None for each in kept.values()) == 1  # of the TPM's alone


def test_a_machine_that_booted_something_else_does_not_enrol(site, machine, maker, tmp_path):
    state = swtpm.copied(maker.folder / "machine", tmp_path / "again")
    with swtpm.running(state, unix=True) as again:  # the same TPM, that nothing was extended into
        refused = run("sonora", "serve", *options(site, again, "other-boot"))
    refused.refused(3, "refuses to enrol this root", "evidence-refused")
    assert "PCR 4 of sha256" in site.tabasco.last_words


def test_a_tpm_of_another_manufacturer_does_not_enrol(site, tmp_path):
    stranger = swtpm.manufacturer(tmp_path / "stranger")
    with swtpm.running(stranger.make("tpm"), unix=True) as tpm:
        arguments = list(options(site, tpm, "stranger"))
        at = arguments.index("--tpm-endorsement")
        del arguments[at : at + 2]
        refused = run("sonora", "serve", *arguments)
    refused.refused(3, "endorsement-unknown", "see tabasco root add")


def test_the_doctor_tells_whether_a_tpm_can_be_reached(machine):
    told = run("sonora", "doctor", "--tpm", machine.place, "--json").json
    (found,) = [each for each in told["findings"] if each["name"] == "evidence tpm"]
    source = TpmSource(machine.settings())
    assert found["state"] == "good"
    assert hashlib.sha256(source.endorsement.public_key).hexdigest() in found["found"]
