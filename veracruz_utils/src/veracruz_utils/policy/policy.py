"""The global policy: the public contract of one computation, as a value that cannot be wrong."""

from dataclasses import field
from datetime import datetime
from typing import Self

from veracruz_utils.address import Address
from veracruz_utils.digest import Digest
from veracruz_utils.frozen import frozen
from veracruz_utils.policy import _shared as shared
from veracruz_utils.policy._current import read_current
from veracruz_utils.policy._document import load_document
from veracruz_utils.policy._terms import read_terms, terms_of_2021
from veracruz_utils.policy._veracruz_2021 import read_2021
from veracruz_utils.policy.ciphersuites import CipherSuite, ciphersuite_named
from veracruz_utils.policy.conduct import Conduct, InputTerms, ResultTerms
from veracruz_utils.policy.isolation import IsolationLayer
from veracruz_utils.policy.values import (
    AcceptedPlatform,
    Limits,
    PolicyFormat,
    PolicyIdentity,
    Role,
    Strategy,
)


@frozen
class Policy:
    """What the principals of one computation agreed on.

    Attributes:
        raw: its exact text.
        digest: SHA-256 of `raw`; this is what attestation vouches for.
        format: how `raw` is written.
        identities: the principals: one provides the program, at least one reads the result.
        sinaloa: where the delegate's bridge listens.
        tabasco: where the attestation service listens.
        tabasco_key: the key Tabasco signs results with: P-256, DER SubjectPublicKeyInfo. None in
            a 2021 policy, which has no place for it.
        expires_at: the end, in UTC, of the certificate that the runtime makes itself.
        ciphersuite: the one suite of every connection to the runtime.
        platforms: the kinds of isolate that are accepted, at least one.
        data_provision_order: whose input has index 0, 1, ... in the program; client ids.
        streaming_order: the same for the stream items of each round.
        program_digest: SHA-256 of the program.
        debug: whether the program's provider learns what it says and where in it a run failed.
        strategy: how the program is executed.
        limits: what the computation may use.
        isolation: the layers that the isolate must at least be walled in by.
        conduct: how often it runs, and who has a say in it.
        inputs: what each place of `data_provision_order` takes.
        streams: what each place of `streaming_order` takes.
        result: what may leave the isolate.
    """

    raw: bytes = field(repr=False)
    digest: Digest
    format: PolicyFormat
    identities: tuple[PolicyIdentity, ...] = field(repr=False)
    sinaloa: Address
    tabasco: Address
    tabasco_key: bytes | None = field(repr=False)
    expires_at: datetime
    ciphersuite: CipherSuite
    platforms: tuple[AcceptedPlatform, ...]
    data_provision_order: tuple[int, ...]
    streaming_order: tuple[int, ...]
    program_digest: Digest
    debug: bool
    strategy: Strategy
    limits: Limits
    isolation: frozenset[IsolationLayer]
    conduct: Conduct
    inputs: tuple[InputTerms, ...]
    streams: tuple[InputTerms, ...]
    result: ResultTerms

    @classmethod
    def parse(cls, raw: bytes, *, at: datetime | None) -> Self:
        """The policy with this text, in either format, which can be used at `at`.

        Args:
            raw: JSON, at most `MAX_POLICY_BYTES`. With a `policy_version` it is of the current
                format, without one of 2021's.
            at: the time it is, with a time zone; the policy and its certificates must be valid.
                None judges no dates: for whoever asks and fetches and sends nothing.

        Raises:
            PolicyError: it cannot be used; the error has the first reason and its place.
        """
        if at is not None and at.utcoffset() is None:
            raise ValueError("the time a policy is judged at needs a time zone")
        document = load_document(raw)
        # Never both in turn: 2021's laxer rules must not read what is wrong by today's.
        read = read_current if "policy_version" in document else read_2021
        form, own = read(document, at=at)
        identities = shared.read_identities(form, at=at)
        shared.check_orders(form, identities)
        shared.check_roles(identities)
        said = own.terms
        terms = read_terms(said, identities) if said else terms_of_2021(form, identities)
        return cls(
            raw=bytes(raw),
            digest=Digest.of(raw),
            format=own.format,
            identities=identities,
            sinaloa=shared.read_address(form.sinaloa_url, path="$.sinaloa_url"),
            tabasco=shared.read_address(form.tabasco_url, path="$.tabasco_url"),
            tabasco_key=own.tabasco_key,
            expires_at=own.expires_at,
            ciphersuite=ciphersuite_named(form.ciphersuite, own.ciphersuites),
            platforms=own.platforms,
            data_provision_order=tuple(form.data_provision_order),
            streaming_order=tuple(form.streaming_order),
            program_digest=own.program_digest,
            debug=form.debug,
            strategy=form.execution_strategy,
            limits=own.limits,
            isolation=own.isolation,
            conduct=terms.conduct,
            inputs=terms.inputs,
            streams=terms.streams,
            result=terms.result,
        )

    def require_in_force(self, at: datetime) -> None:
        """Refuse a policy whose time is over; the certificates of its principals are not judged.

        The end of one certificate is the end of that principal's part, which TLS sees to, and of
        nobody else's.

        Raises:
            PolicyError: `enclave-expired`.
        """
        of_2021 = self.format is PolicyFormat.VERACRUZ_2021
        path = "$.enclave_cert_expiry" if of_2021 else "$.expires_at"
        shared.check_expiry(self.expires_at, at=at, path=path)

    def identity_of(self, certificate_der: bytes) -> PolicyIdentity | None:
        """The principal with exactly this certificate, if there is one."""
        for identity in self.identities:
            if identity.certificate == certificate_der:
                return identity
        return None

    def named(self, client_id: int) -> str:
        """What messages call the principal with this client id."""
        for identity in self.identities:
            if identity.client_id == client_id:
                return identity.label
        return f"client {client_id}"

    def accepted(self, platform: str) -> AcceptedPlatform | None:
        """The platform of this name, if it is accepted."""
        for candidate in self.platforms:
            if candidate.name == platform:
                return candidate
        return None

    @property
    def result_readers(self) -> frozenset[int]:
        """The client ids whose votes together shut the isolate down."""
        return frozenset(
            identity.client_id
            for identity in self.identities
            if Role.RESULT_READER in identity.roles
        )

    def __repr__(self) -> str:
        return f"<Policy: {self.digest}, ends {self.expires_at:%Y-%m-%dT%H:%M:%SZ}>"
