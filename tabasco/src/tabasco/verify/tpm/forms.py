"""The forms in which quotes of TPMs travel, told apart."""

from collections.abc import Callable
from typing import Final

from tabasco.verify.errors import malformed
from tabasco.verify.tpm.go_attestation import is_go_attestation, parse_go_attestation
from tabasco.verify.tpm.keylime import is_keylime_quote, parse_keylime
from tabasco.verify.tpm.quote_json import TpmEvidence, is_tpm_evidence, parse_tpm
from tabasco.verify.tpm.tpm2_tools import is_message
from tabasco.verify.tpm.trustee_quote import is_trustee_quote, parse_trustee_quote
from tabasco.verify.tpm.vaportpm import has_document, is_cloud_quote, parse_cloud_quote


def _cloud(data: bytes) -> TpmEvidence:
    return parse_cloud_quote(data).quote


def _alone(_data: bytes) -> TpmEvidence:
    raise malformed(
        "it is the message of a quote alone: its signature and registers are given by "
        "--quote-signature and --quote-registers"
    )


_FORMS: Final[tuple[tuple[Callable[[bytes], bool], Callable[[bytes], TpmEvidence]], ...]] = (
    (is_tpm_evidence, parse_tpm),
    (lambda data: is_cloud_quote(data) and not has_document(data), _cloud),
    (is_keylime_quote, parse_keylime),
    (is_go_attestation, parse_go_attestation),
    (is_trustee_quote, parse_trustee_quote),
    (is_message, _alone),
)


def is_quote(data: bytes) -> bool:
    """Whether some bytes have the form of a quote that is read here."""
    return any(is_form(data) for is_form, _ in _FORMS)


def parse_quote_of_any_form(data: bytes) -> TpmEvidence:
    """The quote that `data` is.

    Raises:
        EvidenceError: stage `format`.
    """
    for is_form, parse in _FORMS:
        if is_form(data):
            return parse(data)
    return parse_tpm(data)
