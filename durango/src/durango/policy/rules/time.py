"""Rules about the ends of the policy and of certificates."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from cryptography import x509

from durango._words import timestamp
from durango.policy.rules.rule import Checked, Severity, rule

_SOON: Final = timedelta(days=1)
_LONG: Final = timedelta(days=366)


@rule("P101", Severity.ERROR, "the policy is over", "agree on a policy with a later end")
def _over(checked: Checked) -> Iterator[str]:
    if checked.policy.expires_at <= checked.at:
        yield f"it ended at {timestamp(checked.policy.expires_at)}"


@rule(
    "P102", Severity.ERROR, "a certificate is not valid", "agree on a policy with a new certificate"
)
def _certificate_over(checked: Checked) -> Iterator[str]:
    for identity in checked.policy.identities:
        certificate = x509.load_der_x509_certificate(identity.certificate)
        if checked.at > certificate.not_valid_after_utc:
            ended = timestamp(certificate.not_valid_after_utc)
            yield f"the certificate of {identity.label} ended at {ended}"
        elif checked.at < certificate.not_valid_before_utc:
            begins = timestamp(certificate.not_valid_before_utc)
            yield f"the certificate of {identity.label} is not valid before {begins}"


@rule("P103", Severity.WARNING, "the policy ends soon", "agree on a policy with a later end")
def _ends_soon(checked: Checked) -> Iterator[str]:
    if checked.at < checked.policy.expires_at <= checked.at + _SOON:
        yield f"it ends within a day, at {timestamp(checked.policy.expires_at)}"


@rule(
    "P104", Severity.WARNING, "a certificate ends before the policy",
    "make a new identity, or let the policy end earlier",
)  # fmt: skip
def _certificate_ends_first(checked: Checked) -> Iterator[str]:
    for identity in checked.policy.identities:
        ends = x509.load_der_x509_certificate(identity.certificate).not_valid_after_utc
        if checked.at <= ends < checked.policy.expires_at:
            yield (
                f"the certificate of {identity.label} ends before the policy, at {timestamp(ends)}"
            )


@rule("P105", Severity.NOTE, "the policy ends late", "end it when the work should be done")
def _ends_late(checked: Checked) -> Iterator[str]:
    if checked.policy.expires_at > checked.at + _LONG:
        yield f"it goes on for more than a year, to {timestamp(checked.policy.expires_at)}"
