"""Finds, in a store, what a piece of evidence is verified with."""

from collections.abc import Collection
from datetime import datetime

from tabasco.collateral.items import ItemKind, intel_subject, key_subject, rim_subject
from tabasco.collateral.store import Store
from tabasco.verify.amd.certificate import EndorsementKey, parse_endorsement_key
from tabasco.verify.amd.given import endorsement_key_in
from tabasco.verify.amd.report import Product, SnpReport, SnpTcb, parse_report
from tabasco.verify.amd.snp import Endorsements
from tabasco.verify.errors import EvidenceError, Fault, VerificationStage
from tabasco.verify.intel.collateral import Collateral
from tabasco.verify.intel.pck import platform_of
from tabasco.verify.intel.quote import parse_quote
from tabasco.verify.x509 import certificates, der
from veracruz_utils.frozen import frozen


def subject_of_quote(data: bytes) -> str:
    """Whose collateral an Intel quote needs.

    Raises:
        EvidenceError: it is no quote with a platform's certificate.
    """
    # Nothing is verified yet: what is read here only chooses collateral, which is then checked.
    quote = parse_quote(data)
    chain = certificates.load_pem(quote.pck_chain)
    issuer = certificates.common_name(chain[1]) if len(chain) > 1 else ""
    return intel_subject(quote.tee, platform_of(chain[0]).fmspc, issuer)


def subject_of_report(report: SnpReport, product: Product) -> str:
    """Which endorsement key a report of SEV-SNP needs, if it is of this product."""
    tcb = SnpTcb.from_bytes(report.reported_tcb, product)
    chip = report.chip_id[:8] if product is Product.TURIN else report.chip_id
    return key_subject(report.signing_key, product, chip, tcb)


@frozen
class StoredCollateral:
    """A store as a source of what verifiers need."""

    store: Store

    def for_quote(self, data: bytes, at: datetime) -> Collateral:
        """Intel's collateral for a quote, valid at `at`.

        Raises:
            EvidenceError: there is none; or it is no quote.
        """
        subject = subject_of_quote(data)
        found = self.store.find(ItemKind.INTEL, subject, at)
        if found is None:
            raise self._missing(ItemKind.INTEL, subject, at)
        return Collateral.from_json(found)

    def for_report(self, data: bytes, at: datetime, *, certificate: bytes | None) -> Endorsements:
        """AMD's certificates for a report of SEV-SNP, and its list of revoked ones, if there.

        Args:
            data: the report.
            at: the time they have to be valid at.
            certificate: the VCEK or VLEK, where the evidence brings it along.

        Raises:
            EvidenceError: there are none; or it is no report.
        """
        report = parse_report(data)
        # Reports before version 3 do not say it: the authorities of its key decide.
        for product in Product if report.product is None else (report.product,):
            subject = subject_of_report(report, product)
            given = certificate or self.store.find(ItemKind.AMD_KEY, subject, at)
            if given is None:
                continue
            key = _parsed(given)
            for authorities in self.store.find_all(ItemKind.AMD_AUTHORITIES, product.value, at):
                if _issued_in(authorities, key):
                    return Endorsements(given, authorities, self.revoked_for(given, at))
        of = report.product or Product.MILAN
        if certificate is not None:
            raise self._missing(ItemKind.AMD_AUTHORITIES, of.value, at)
        raise self._missing(ItemKind.AMD_KEY, subject_of_report(report, of), at)

    def manifests_for(self, subjects: Collection[tuple[str, str]], at: datetime) -> list[bytes]:
        """NVIDIA's reference values of chips and versions, as far as there are any for `at`."""
        named = sorted({rim_subject(*each) for each in subjects})
        found = (self.store.find(ItemKind.NVIDIA_RIM, each, at) for each in named)
        return [each for each in found if each is not None]

    def revoked_for(self, certificate: bytes, at: datetime) -> bytes | None:
        """AMD's list of revoked certificates for the product of a VCEK or VLEK.

        None where none is kept. Where one is kept it has to be current: a list that has ended
        would hide what was revoked since.

        Raises:
            EvidenceError: there is none that is valid at `at`, but there was; or the certificate
                is malformed.
        """
        issuer = der.common_name(der.read(_parsed(certificate).issuer, der.SEQUENCE))
        product = issuer.rpartition("-")[2].lower()
        found = self.store.find(ItemKind.AMD_CRL, product, at)
        if found is None and (ItemKind.AMD_CRL, product) in self.store.ends(at):
            raise self._missing(ItemKind.AMD_CRL, product, at)
        return found

    def _missing(self, kind: ItemKind, subject: str, at: datetime) -> EvidenceError:
        ends = [
            each.end
            for each in self.store.entries()
            if (each.kind, each.subject) == (kind, subject) and each.start <= at
        ]
        if ends:
            return EvidenceError(
                Fault.COLLATERAL_EXPIRED,
                VerificationStage.COLLATERAL,
                f"{kind} of {subject} in {self.store.path} is good until {max(ends)}, it is {at}",
            )
        return EvidenceError(
            Fault.COLLATERAL_MISSING,
            VerificationStage.COLLATERAL,
            f"no {kind} of {subject} for {at} is in {self.store.path}",
        )


def _parsed(certificate: bytes) -> EndorsementKey:
    return parse_endorsement_key(endorsement_key_in(certificate)[0])


def _issued_in(authorities: bytes, key: EndorsementKey) -> bool:
    return any(
        certificates.outline_of(each).subject.encoded == key.issuer
        for each in certificates.load_pem(authorities, explained=True)
    )
