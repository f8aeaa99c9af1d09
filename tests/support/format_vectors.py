"""The folders of ../shared/vectors that came with the formats of clouds: how each is given.

For every entry: the options of `tabasco verify`, and the verdict and reason that are right. What a
page calls `refuse` is either authentic and not acceptable, or not authentic; which of the two is
said here.
"""

from dataclasses import dataclass
from pathlib import Path

SHARED = Path(__file__).parents[3] / "shared" / "vectors"
ACCEPT, REFUSE, REJECT = "accept", "refuse", "reject"
MILAN = "../snp/amd-milan-ask-ark-asvk.pem"
CHALLENGE = b"challenge".hex()
SPACE = ("--audience", "https://sts.google.com", "--at", "2024-11-04T00:00:00Z")
SPACE_NONCE = b"0x000000000000000000000000000000000000dEaD".hex()
NITRO_NONCE = "230af3f7c0ec43ccf99a4cab47ac61469a36ea74b1e79740fdf8ccfc8f56161a"
GCE_NONCE = "8a543108a653b4a1162232744cc9b945017a449dea4fbb0ca62f42d3ef145562"
GENOA_NONCE = (
    "0218488bae25d2509232bf676f1a66a30d7372add909109b36016ef136f2938c"
    "a05475f8b46094de6b64270ea35d950f"
)
ACI_DATA = "ee986ff2bd7e3f22e29f640918627816cf8e23b9d9c312767168eab68c861c71"
INTEL = ("--collateral", "../tdx/collateral/intel-2025-02_tdx_00806f05.json", "--at", "2025-02-20")


@dataclass(frozen=True)
class Given:
    """How a vector is given: the file, options, and what is right.

    Options that name a file do so relative to the folder; `reason` is None where it is accepted.
    """

    file: str
    options: tuple[str, ...]
    verdict: str
    reason: str | None = None

    def arguments(self, folder: Path) -> list[str]:
        """The command line, without the command."""
        names = {"--certificate", "--authorities", "--root", "--quote", "--crl", "--key"}
        names |= {"--collateral", "--event-log"}
        found = [str(folder / self.file)]
        for name, value in zip(self.options[::2], self.options[1::2], strict=True):
            found += [name, str(folder / value) if name in names else value]
        return found


def at(moment: str, *options: str) -> tuple[str, ...]:
    return (*options, "--at", moment)


AZURE = at("2025-03-01", "--authorities", MILAN, "--nonce", CHALLENGE)
HCL = at("2025-03-01", "--certificate", "hcl-snp-vcek-and-chain.pem")
ACI = at("2025-03-01", "--report-data", ACI_DATA)
NITRO = at("2026-02-03T10:30:00Z", "--nonce", NITRO_NONCE)
GCE = at("2026-02-02T12:00:00Z", "--root", "gce-ekak-root.pem", "--nonce", GCE_NONCE)
MAA = at("2023-09-26T15:00:00Z", "--key", "maa-sharedeus-certs.json")
CCA = ("--key", "../cca/tfm-cca-platform.pem")
OIDC = ("--key", "cs-oidc.jwks.json", *SPACE)

FOLDERS: dict[str, dict[str, Given]] = {
    "azure-cvm": {
        "az-snp-v0": Given("az-snp-evidence-v0.json", AZURE, ACCEPT),
        "NEG-az-snp-v0-tpm-message-flipped": Given(
            "NEG-az-snp-v0-tpm-message-flipped.json", AZURE, REJECT, "signature"
        ),
        "NEG-az-snp-v0-vardata-flipped": Given(
            "NEG-az-snp-v0-vardata-flipped.json", AZURE, REJECT, "key-binding"
        ),
        "az-snp-genoa": Given(
            "az-snp-evidence-genoa.json",
            at(
                "2025-03-01",
                "--authorities",
                "amd-genoa-ask.pem",
                "--authorities",
                "amd-genoa-ark.pem",
                "--nonce",
                GENOA_NONCE,
            ),
            ACCEPT,
        ),
        "az-snp-genoa-under-milan": Given(
            "az-snp-evidence-genoa.json",
            at("2025-03-01", "--authorities", MILAN, "--nonce", GENOA_NONCE),
            REJECT,
            "chain",
        ),
        "az-tdx-v0": Given(
            "az-tdx-evidence-v0.json", ("--nonce", CHALLENGE, *INTEL), REFUSE, "tcb-status"
        ),
        "NEG-az-tdx-v0-hcl-of-another-vm": Given(
            "NEG-az-tdx-v0-hcl-of-another-vm.json", INTEL, REJECT, "malformed"
        ),
        "hcl-report-snp": Given(
            "hcl-report-snp.bin",
            (*HCL, "--quote", "hcl-snp-tpm-quote-v1.json", "--nonce", CHALLENGE),
            ACCEPT,
        ),
        "hcl-report-snp-foreign-quote": Given(
            "hcl-report-snp.bin",
            (*HCL, "--quote", "kinvolk-tpm-quote.bincode", "--nonce", CHALLENGE),
            REJECT,
            "signature",
        ),
        "tpm-quote-with-ak-pem": Given(
            "kinvolk-tpm-quote.bincode", (), REJECT, "collateral-missing"
        ),
        "NEG-hcl-report-snp-measurement-flipped": Given(
            "NEG-hcl-report-snp-measurement-flipped.bin", HCL, REJECT, "signature"
        ),
        "hcl-report-tdx": Given("hcl-report-tdx.bin", INTEL, REJECT, "collateral-missing"),
        "hcl-report-snp-2048": Given(
            "hcl-report-snp-2048.bin",
            at("2025-03-01", "--certificate", "kinvolk-certs.pem"),
            REJECT,
            "signature",
        ),
        "variable-data-json": Given("kinvolk-var-data.bin", (), REJECT, "unknown-kind"),
        "aci-snp": Given(
            "aci-snp-report.bin", ("--certificate", "aci-host-amd-certificate.json", *ACI), ACCEPT
        ),
        "aci-snp-other-host-cert": Given(
            "aci-snp-report.bin",
            ("--certificate", "aci-other-host-amd-cert.base64", *ACI),
            REJECT,
            "signature",
        ),
    },
    "maa": {
        "maa-sgx": Given("maa-sgx.jwt", MAA, ACCEPT),
        "maa-sgx-expired": Given(
            "maa-sgx.jwt", (*MAA[:2], "--at", "2023-09-27"), REFUSE, "expired"
        ),
        "NEG-maa-sgx-claim-changed": Given(
            "NEG-maa-sgx-claim-changed.jwt", MAA, REJECT, "signature"
        ),
        "NEG-maa-sgx-alg-none": Given(
            "NEG-maa-sgx-alg-none.jwt", MAA, REJECT, "unsupported-algorithm"
        ),
        "maa-cvm-2023": Given("maa-cvm-2023.jwt", MAA, REJECT, "unknown-signer"),
        "maa-azurevm-2022": Given("maa-azurevm-2022.jwt", MAA, REJECT, "unknown-signer"),
    },
    "gcp": {
        "cs-oidc": Given("cs-oidc.jwt", (*OIDC, "--nonce", SPACE_NONCE), REFUSE, "debug"),
        "cs-oidc-wrong-audience": Given(
            "cs-oidc.jwt",
            (*OIDC[:2], "--audience", "https://example.org", *SPACE[2:]),
            REFUSE,
            "report-data",
        ),
        "cs-oidc-expired": Given(
            "cs-oidc.jwt", (*OIDC[:4], "--at", "2024-11-05T00:00:00Z"), REFUSE, "expired"
        ),
        "NEG-cs-oidc-dbgstat-changed": Given(
            "NEG-cs-oidc-dbgstat-changed.jwt", OIDC, REJECT, "signature"
        ),
        "cs-pki-pem-x5c": Given(
            "cs-pki-pem-x5c.jwt", (*SPACE, "--nonce", SPACE_NONCE), REFUSE, "debug"
        ),
        "gce-vtpm-amd": Given("gce-vtpm-amd.json", GCE, ACCEPT),
        "NEG-gce-vtpm-amd-digest-flipped": Given(
            "NEG-gce-vtpm-amd-digest-flipped.json", GCE, REJECT, "signature"
        ),
    },
    "nitrotpm": {
        "nitrotpm-document": Given("nitrotpm-document.cbor", NITRO, ACCEPT),
        "nitrotpm-and-quote": Given("nitrotpm-and-quote.json", NITRO, ACCEPT),
        "nitrotpm-document-late": Given(
            "nitrotpm-document.cbor",
            at("2026-02-04", "--nonce", NITRO_NONCE),
            REJECT,
            "expired",
        ),
        "NEG-nitrotpm-pcr4-flipped": Given(
            "NEG-nitrotpm-pcr4-flipped.cbor", NITRO, REJECT, "signature"
        ),
        "NEG-nitrotpm-quote-of-another-ak": Given(
            "NEG-nitrotpm-quote-of-another-ak.json", NITRO, REJECT, "key-binding"
        ),
    },
    "tpm-more": {
        "windows-gcp-shielded-vm": Given(
            "windows-gcp-shielded-vm.json", (), REJECT, "unsupported-algorithm"
        ),
        "keylime-quote-sha1-pcr16": Given(
            "keylime-quote-sha1-pcr16.txt", (), REJECT, "unsupported-algorithm"
        ),
    },
    "csv": {
        "csv-evidence": Given("csv-evidence.json", (), REJECT, "collateral-missing"),
        "NEG-csv-evidence-flipped": Given(
            "NEG-csv-evidence-flipped.json", (), REJECT, "collateral-missing"
        ),
        "ccel-csv": Given("ccel-csv.bin", (), REJECT, "unsigned"),
    },
    "eat": {
        "submods": Given("submods.json", (), REJECT, "unsigned"),
        "valid_submods": Given("valid_submods.diag", (), REJECT, "unknown-kind"),
        "valid_tee": Given("valid_tee.diag", (), REJECT, "unknown-kind"),
        "deb": Given("deb.json", (), REJECT, "malformed"),
        "valid_cwt": Given("valid_cwt.diag", (), REJECT, "unknown-kind"),
    },
    "cca-more": {
        "realm-2.0.0-claims": Given("realm-2.0.0-claims.yaml", (), REJECT, "unknown-kind"),
        "platform-token-2023": Given("platform-token-2023.cbor", CCA, REJECT, "key-binding"),
        "platform-token-legacy": Given("platform-token-legacy.cbor", CCA, REJECT, "key-binding"),
        "NEG-platform-token-2023-flipped": Given(
            "NEG-platform-token-2023-flipped.cbor", CCA, REJECT, "signature"
        ),
    },
}
