"""Verification of native evidence: Intel quotes against dcap-qvl, AMD reports against signatures.

dcap-qvl is a verifier in Rust with bindings for Python; both verify the same real quotes with the
same real collateral, every signature, chain and list. We remember what we found out about the
bytes of certificates and statements: so each is measured with quotes of platforms that were seen
before, and with everything forgotten before each quote. For AMD's reports the reference is only
the three signatures that there are, by `cryptography`.
"""

import functools
import json
import sys
from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Final

import dcap_qvl
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from measuring import Figure, at_least, in_pairs, run, seconds

from tabasco.verify.amd.certificate import parse_endorsement_key
from tabasco.verify.amd.report import parse_report
from tabasco.verify.amd.snp import Endorsements, verify_snp
from tabasco.verify.intel.collateral import Collateral
from tabasco.verify.intel.dcap import verify_dcap
from tabasco.verify.x509.certificates import pem_blocks

_VECTORS: Final = Path(__file__).parents[1] / "tests" / "vectors" / "tabasco"
_TIMES: Final = 50
_QUOTES: Final = {
    "an SGX quote": (
        "sgx/sgx-v3-a067.bin",
        "sgx/intel-2025-06_sgx_00a06711.json",
        datetime(2025, 6, 25, tzinfo=UTC),
    ),
    "a TDX quote": (
        "tdx/tdx-v5-90c06f-relaunch.bin",
        "tdx/intel-2026-02_tdx_90c06f.json",
        datetime(2026, 2, 25, tzinfo=UTC),
    ),
}
_SNP_TIME: Final = datetime(2026, 3, 1, tzinfo=UTC)


def measure(rounds: int) -> list[Figure]:
    """Verify quotes and reports, and what there is to compare."""
    figures: list[Figure] = []
    for what in _QUOTES:
        figures += _compare_quotes(what, rounds)
    return figures + _compare_reports(rounds)


def _compare_quotes(what: str, rounds: int) -> list[Figure]:
    quote_file, collateral_file, at = _QUOTES[what]
    quote = (_VECTORS / quote_file).read_bytes()
    collateral = Collateral.from_json((_VECTORS / collateral_file).read_bytes())
    theirs = dcap_qvl.QuoteCollateralV3.from_json(_text_of(collateral))
    moment = int(at.timestamp())

    def ours() -> None:
        verify_dcap(quote, collateral=collateral, at=at)

    def reference() -> None:
        dcap_qvl.verify(quote, theirs, moment)

    return [
        *_figures(what, "dcap-qvl", ours, reference, rounds),
        *_figures(
            f"{what}, nothing remembered",
            "dcap-qvl",
            lambda: (_forget(), ours()),
            reference,
            rounds,
            goal=False,
        ),
    ]


def _compare_reports(rounds: int) -> list[Figure]:
    report = (_VECTORS / "snp/milan-v3.bin").read_bytes()
    key = (_VECTORS / "snp/milan-v3-vcek.pem").read_bytes()
    authorities = (_VECTORS / "snp/amd-milan-ask-ark-asvk.pem").read_bytes()
    endorsements = Endorsements(key, authorities)

    def ours() -> None:
        verify_snp(report, endorsements=endorsements, at=_SNP_TIME)

    signatures = _signatures(report, endorsements)
    return _figures("an SEV-SNP report", "its signatures alone", ours, signatures, rounds)


def _signatures(data: bytes, endorsements: Endorsements) -> Callable[[], None]:
    report = parse_report(data)
    certificate = parse_endorsement_key(pem_blocks(endorsements.key)[0])
    chain = {
        each.subject.rfc4514_string(): each
        for each in map(x509.load_der_x509_certificate, pem_blocks(endorsements.authorities))
    }
    ask = next(each for name, each in chain.items() if "CN=SEV-Milan" in name)
    ark = chain[ask.issuer.rfc4514_string()]
    signature = encode_dss_signature(report.r, report.s)
    issuer = ask.public_key()
    assert isinstance(issuer, rsa.RSAPublicKey)
    scheme = padding.PSS(padding.MGF1(hashes.SHA384()), 48)

    def verify() -> None:
        certificate.key.verify(signature, report.signed, ec.ECDSA(hashes.SHA384()))
        issuer.verify(certificate.signature, certificate.signed, scheme, hashes.SHA384())
        ask.verify_directly_issued_by(ark)

    return verify


def _figures(
    what: str,
    against: str,
    ours: Callable[[], object],
    reference: Callable[[], object],
    rounds: int,
    *,
    goal: bool = True,
) -> list[Figure]:
    paired = in_pairs(
        lambda: seconds(lambda: [ours() for _ in range(_TIMES)]),
        lambda: seconds(lambda: [reference() for _ in range(_TIMES)]),
        rounds=rounds,
    )
    each = [time / _TIMES * 1e3 for time in paired.ours]
    return [
        Figure(f"rate: {what}", against, paired.rate_ratios, at_least(0.5) if goal else None),
        Figure(f"time of one: {what}", "each", each, unit="ms"),
    ]


def _forget() -> None:
    """Empty every memory of the verifiers."""
    for name, module in list(sys.modules.items()):
        if name.startswith("tabasco.verify"):
            _forget_in(module)


def _forget_in(module: ModuleType) -> None:
    for value in vars(module).values():
        if isinstance(value, functools._lru_cache_wrapper):  # noqa: SLF001 - there is no other name
            value.cache_clear()


def _text_of(collateral: Collateral) -> str:
    binary = {"root_ca_crl", "pck_crl", "tcb_info_signature", "qe_identity_signature"}
    parts = {field.name: getattr(collateral, field.name) for field in fields(collateral)}
    return json.dumps(
        {name: part.hex() if name in binary else part.decode() for name, part in parts.items()}
    )


if __name__ == "__main__":
    run("native_verification", measure, rounds=15)
