"""A Tabasco in this process, and TPMs that enrol with it: real ones, as far as software is."""

import contextlib
import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from colima import decode, encode, tabasco
from sonora.enrolment import enrol
from sonora.errors import EnrolmentRefusedError
from sonora.evidence.tpm.commands import Tpm
from sonora.evidence.tpm.source import TpmSource
from support.databases import new_database
from support.enrolment import Clock
from tabasco.collateral import Store, StoredCollateral
from tabasco.errors import RefusalError
from tabasco.registry.instances import Instances
from tabasco.registry.policies import Policies
from tabasco.registry.roots import Roots
from tabasco.registry.state import StateDirectory
from tabasco.service.attestation import AttestationService, Settings


def der(path):
    return x509.load_pem_x509_certificate(path.read_bytes()).public_bytes(Encoding.DER)


class World:
    """A Tabasco, and what stands between it and Sonora."""

    def __init__(self, folder, database, clock, *, shared_key=None):
        self.database, self.clock = database, clock
        state = StateDirectory(folder / "state")
        state.prepare()
        state.make_result_key()
        self.service = AttestationService(
            database=database,
            key_ring=state.key_ring(),
            build="1",
            now=clock,
            settings=Settings(),
            source=StoredCollateral(Store(folder / "collateral")),
            challenge_key=shared_key,
        )
        self.on_the_way = lambda request: request
        self.asked = []
        self.refusal = None

    def call(self, method, request):
        """As gRPC would, with whatever somebody on the way makes of the evidence."""
        self.asked.append(method)
        methods = {
            "BeginEnrolment": (tabasco.BeginEnrolmentRequest, self.service.begin_enrolment),
            "RequestCredential": (
                tabasco.RequestCredentialRequest,
                self.service.request_credential,
            ),
            "CompleteEnrolment": (
                tabasco.CompleteEnrolmentRequest,
                self.service.complete_enrolment,
            ),
        }
        kind, answer = methods[method]
        try:
            return encode(answer(self.on_the_way(decode(kind, request))))
        except RefusalError as error:
            self.refusal = error
            raise

    def trust(self, certificate, name="maker"):
        Roots(self.database).add_manufacturer(name, certificate, at=self.clock())

    def accept(self, tpm_policy, *, version=1):
        document = f"version = {version}\n[tpm]\n{tpm_policy}".encode()
        Policies(self.database).put_in_force(document, at=self.clock())

    def accept_as_it_is(self, tpm, *registers):
        names = registers or range(24)
        values = Tpm(tpm.place.open()).registers()
        lines = [f'pcr{index} = ["{values[index].hex()}"]' for index in names]
        self.accept("[tpm.measurements]\n" + "\n".join(lines))


@contextlib.contextmanager
def new_world(folder):
    """A Tabasco that trusts nobody yet; its clock stands still."""
    with new_database(folder / "tabasco.db") as database:
        yield World(folder, database, Clock(datetime.now(UTC) + timedelta(minutes=1)))


def source_of(tpm, manufacturer):
    """A source whose certificate comes with the one between it and the root."""
    return TpmSource(tpm.settings(endorsement=bundle(tpm, manufacturer)))


def bundle(tpm, manufacturer):
    own = TpmSource(tpm.settings()).endorsement.certificate
    path = manufacturer.folder / f"{hashlib.sha256(own).hexdigest()[:8]}.pem"
    pem = x509.load_der_x509_certificate(own).public_bytes(Encoding.PEM)
    path.write_bytes(pem + manufacturer.issuer.read_bytes())
    return path


def refused_for(world, source, *words):
    with pytest.raises(EnrolmentRefusedError) as caught:
        enrol(world.call, source)
    for word in words:
        assert word in str(caught.value)
    assert Instances(world.database).all() == []
