"""Fetches collateral from the vendors' services, only ever when somebody asks for it by name.

Intel: "PCS API v4" (or a PCCS that speaks it). AMD: 57230, "KDS Interface Specification". What
comes is not trusted: `Store.add` verifies it like a file. Services that are busy or gone are asked
again, with growing pauses, and no longer than the time given.
"""

import http.client
import json
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from email.message import Message
from typing import Final

import tenacity

from tabasco.collateral.items import ItemKind
from tabasco.collateral.lookup import subject_of_quote, subject_of_report
from tabasco.errors import TabascoError
from tabasco.verify.amd.report import Product, SigningKey, parse_report
from tabasco.verify.intel.collateral import MAX_COLLATERAL_BYTES
from tabasco.verify.kinds import EvidenceKind
from tabasco.verify.tpm.azure import is_hcl_report, parse_hcl
from tabasco.verify.tpm.azure_json import parse_azure
from veracruz_utils.frozen import frozen

INTEL_PCS: Final = "https://api.trustedservices.intel.com"
INTEL_ROOT_CRL: Final = "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der"
AMD_KDS: Final = "https://kdsintf.amd.com"

_CALL_S: Final = 30.0
_PIECE: Final = 64 * 1024
# AMD's service answers 429 to many requests at once, and passes for it after a pause.
_BUSY: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
# Cut out of the answer, never parsed and written again: the signature is over these very bytes.
_SIGNED: Final = re.compile(rb'\{"(\w+)":(\{.*\}),"signature":"([0-9a-fA-F]{128})"\}\s*', re.DOTALL)
# KDS's names (57230) in the order of `key_subject`; the last is for Turin alone.
_SPLS: Final = ("blSPL", "teeSPL", "snpSPL", "ucodeSPL", "fmcSPL")


class FetchError(TabascoError):
    """A service did not give what was asked for."""

    exit_code = 4


class _BusyError(FetchError):
    """The same request may succeed later."""


@frozen
class Wanted:
    """A piece of collateral to fetch, called as in the store."""

    kind: ItemKind
    subject: str


@frozen
class Services:
    """Where the vendors' services are, and how long to insist.

    Attributes:
        pcs: of Intel, without the version's path.
        intel_root_crl: the list of Intel's root.
        kds: of AMD.
        patience_s: seconds for one answer, with all pauses and repetitions.
        pause_s: the first pause; each is about twice the one before.
    """

    pcs: str = INTEL_PCS
    intel_root_crl: str = INTEL_ROOT_CRL
    kds: str = AMD_KDS
    patience_s: float = 120.0
    pause_s: float = 1.0

    def fetch(self, wanted: Wanted) -> list[tuple[str, bytes]]:
        """What is wanted, unverified, with a name for errors.

        Raises:
            FetchError: it is not to be had.
        """
        if wanted.kind is ItemKind.INTEL:
            return [(f"intel {wanted.subject}", self._intel(*wanted.subject.split("/")))]
        urls = [f"{self.kds}{path}" for path in _kds_paths(wanted)]
        return [(url, self._get(url)[0]) for url in urls]

    def _intel(self, tee: str, fmspc: str, authority: str) -> bytes:
        base, sgx = f"{self.pcs}/{tee}/certification/v4", f"{self.pcs}/sgx/certification/v4"
        info, info_headers = self._get(f"{base}/tcb?fmspc={fmspc}")
        identity, identity_headers = self._get(f"{base}/qe/identity")
        platforms, list_headers = self._get(f"{sgx}/pckcrl?ca={authority}&encoding=der")
        root_list, _ = self._get(self.intel_root_crl)
        tcb_info, tcb_signature = _statement(info, "tcbInfo")
        qe_identity, qe_signature = _statement(identity, "enclaveIdentity")
        parts = {
            "pck_crl_issuer_chain": _chain(list_headers, "SGX-PCK-CRL-Issuer-Chain"),
            "root_ca_crl": root_list.hex(),
            "pck_crl": platforms.hex(),
            "tcb_info_issuer_chain": _chain(info_headers, "TCB-Info-Issuer-Chain"),
            "tcb_info": tcb_info,
            "tcb_info_signature": tcb_signature,
            "qe_identity_issuer_chain": _chain(
                identity_headers, "SGX-Enclave-Identity-Issuer-Chain"
            ),
            "qe_identity": qe_identity,
            "qe_identity_signature": qe_signature,
        }
        return json.dumps(parts).encode()

    def _get(self, url: str) -> tuple[bytes, Message]:
        end = time.monotonic() + self.patience_s
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_BusyError),
            stop=tenacity.stop_after_delay(self.patience_s) | tenacity.stop_after_attempt(8),
            wait=tenacity.wait_exponential_jitter(
                multiplier=self.pause_s, max=30, jitter=self.pause_s
            ),
            reraise=True,
        )
        return retrying(_call, url, end)


def wanted_for(data: bytes, kind: EvidenceKind, *, product: Product | None) -> list[Wanted]:
    """What the verification of a piece of evidence needs.

    Args:
        data: the evidence.
        kind: of it.
        product: of AMD, where the report does not say it (version 2).

    Raises:
        EvidenceError: it is malformed.
        TabascoError: it needs no collateral, or the product is not known.
    """
    if kind in {EvidenceKind.SGX, EvidenceKind.TDX}:
        return [Wanted(ItemKind.INTEL, subject_of_quote(data))]
    if kind is EvidenceKind.SEV_SNP:
        return _wanted_of_amd(data, product, with_key=True)
    if kind is EvidenceKind.TPM_AZURE and is_hcl_report(data):
        report = parse_hcl(data)
        if report.kind is EvidenceKind.SEV_SNP:
            return _wanted_of_amd(report.hardware, product, with_key=True)
        raise TabascoError("a paravisor's report of TDX is verified by its TD quote: give that")
    if kind is EvidenceKind.TPM_AZURE:
        parts = parse_azure(data)
        if parts.report.kind is EvidenceKind.SEV_SNP:
            return _wanted_of_amd(parts.report.hardware, product, with_key=False)
        return [Wanted(ItemKind.INTEL, subject_of_quote(parts.hardware))]
    raise TabascoError(f"evidence of {kind} is verified without collateral")


def _wanted_of_amd(data: bytes, product: Product | None, *, with_key: bool) -> list[Wanted]:
    report = parse_report(data)
    product = report.product or product
    if product is None:
        raise TabascoError(
            f"a report of version {report.version} does not say its product: give --product"
        )
    found = [Wanted(kind, product.value) for kind in (ItemKind.AMD_AUTHORITIES, ItemKind.AMD_CRL)]
    if with_key and report.signing_key is SigningKey.VCEK:
        found.append(Wanted(ItemKind.AMD_KEY, subject_of_report(report, product)))
    return found


def _kds_paths(wanted: Wanted) -> list[str]:
    if wanted.kind is ItemKind.AMD_AUTHORITIES:
        name = wanted.subject.capitalize()
        return [f"/{kind}/v1/{name}/cert_chain" for kind in ("vcek", "vlek")]
    if wanted.kind is ItemKind.AMD_CRL:
        return [f"/vcek/v1/{wanted.subject.capitalize()}/crl"]
    kind, product, *rest = wanted.subject.split("/")
    if kind != "vcek":
        raise FetchError(f"{wanted.subject}: a VLEK is given out by the provider, import it")
    chip, versions = rest
    numbers = versions.split(".")
    names = _SPLS if product == Product.TURIN.value else _SPLS[:-1]
    query = urllib.parse.urlencode(dict(zip(names, numbers, strict=False)))
    return [f"/vcek/v1/{product.capitalize()}/{chip}?{query}"]


def _call(url: str, end: float) -> tuple[bytes, Message]:
    parts = urllib.parse.urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
        raise FetchError(f"{url}: only https, or this very machine")
    request = urllib.request.Request(url, headers={"Accept": "*/*"})  # noqa: S310 - checked above
    try:
        with _OPENER.open(request, timeout=_CALL_S) as answer:
            return _read(answer, end, url), answer.headers
    except urllib.error.HTTPError as error:
        error.close()
        kind = _BusyError if error.code in _BUSY else FetchError
        raise kind(f"{url} answers {error.code} {error.reason!s:.80}") from error
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise _BusyError(f"{url} cannot be reached: {reason!s:.200}") from error


def _read(answer: http.client.HTTPResponse, end: float, url: str) -> bytes:
    data = bytearray()
    while piece := answer.read(_PIECE):
        data += piece
        # Counted as it comes: a length in the head is only what the server says.
        if len(data) > MAX_COLLATERAL_BYTES:
            raise FetchError(f"{url} answers with more than {MAX_COLLATERAL_BYTES} bytes")
        # The timeout of a connection counts anew for each read: a server that drips never meets it.
        if time.monotonic() > end:
            raise FetchError(f"{url} is too slow")
    return bytes(data)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object, **__: object) -> None:
        """Nobody sends us elsewhere: the answer becomes an error."""


_OPENER: Final = urllib.request.build_opener(_NoRedirects)


def _statement(data: bytes, name: str) -> tuple[str, str]:
    """The exact text that was signed, and the signature."""
    found = _SIGNED.fullmatch(data)
    if found is None or found[1].decode() != name:
        raise FetchError(f"the service's {name} is not a signed statement")
    return found[2].decode("ascii", "replace"), found[3].decode()


def _chain(headers: Message, name: str) -> str:
    value = headers.get(name)
    if value is None:
        raise FetchError(f"the service's answer has no {name}")
    return urllib.parse.unquote(value)
