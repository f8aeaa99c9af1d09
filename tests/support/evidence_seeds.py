"""Authentic evidence of every kind, with what its verifier needs: where fuzz and mutation begin.

Hardware evidence is real (tests/vectors); tokens, results and bundles are published vectors or
signed here by throw-away keys.
"""

import hashlib
import json
from base64 import b64encode
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)

from psa_attestation.jose.jwk import public_key_of
from psa_attestation.results.appraisal import Appraisal, Tier, TrustVector
from psa_attestation.results.ear import sign_ear
from psa_attestation.results.ear_claims import Ear, VerifierId
from psa_attestation.results.ear_jwt import sign_ear_jwt
from support import cca_tokens, event_logs, nitro_documents, tpm_quotes
from support import cloud_evidence as clouds
from support import nvidia_devices as nvidia
from support.psa_tokens import CHALLENGE, DEVICE, RFC9783_CLAIMS, sign1_by_hand
from support.throwaway_chain import NOON
from tabasco.verify.eventlog.log import parse_event_log
from tabasco.verify.eventlog.replay import replay
from tabasco.verify.evidence import verify_evidence
from tabasco.verify.intel.collateral import Collateral
from tabasco.verify.kinds import EvidenceKind
from tabasco.verify.means import Means
from tabasco.verify.proven import Proven

VECTORS = Path(__file__).parents[1] / "vectors"
OWN = VECTORS / "tabasco"
JUNE = datetime(2025, 6, 25, tzinfo=UTC)
FEBRUARY = datetime(2026, 2, 25, tzinfo=UTC)
NOW = datetime(2026, 9, 21, 14, tzinfo=UTC)


@dataclass(frozen=True)
class Seed:
    """Evidence that is authentic at `at` by these means.

    `text` says that it has several spellings, such as hexadecimal digits of either case, or bytes
    that nobody signed and nobody reads.
    """

    name: str
    kind: EvidenceKind
    data: bytes
    means: Means
    at: datetime
    text: bool = False

    def verify(self, data: bytes | None = None, **means) -> Proven:
        """What it proves, with something else in its place."""
        data = self.data if data is None else data
        return verify_evidence(data, self.kind, means=replace(self.means, **means), at=self.at)


def seeds() -> list[Seed]:
    """One or more of each kind."""
    return [
        *_intel(), *_amd(), *_others(), *_azure(), *_signed_by_us(), *_nvidia(), *_clouds(),
    ]  # fmt: skip


def _intel():
    for name, of, at in (
        ("sgx/sgx-v3-a067.bin", "sgx/intel-2025-06_sgx_00a06711.json", JUNE),
        ("tdx/tdx-v4-b0c06f.bin", "tdx/intel-2025-06_tdx_b0c06f.json", JUNE),
        ("tdx/tdx-v5-90c06f-relaunch.bin", "tdx/intel-2026-02_tdx_90c06f.json", FEBRUARY),
    ):
        means = Means(collateral=Collateral.from_json((OWN / of).read_bytes()))
        data = (OWN / name).read_bytes()
        yield Seed(name, EvidenceKind(name[:3]), data, means, at)


def _amd():
    for name in ("milan-v3", "turin-v5"):
        means = Means(
            certificate=(OWN / f"snp/{name}-vcek.pem").read_bytes(),
            authorities=(OWN / f"snp/amd-{name[:5]}-ask-ark-asvk.pem").read_bytes(),
        )
        data = (OWN / f"snp/{name}.bin").read_bytes()
        yield Seed(
            f"snp/{name}", EvidenceKind.SEV_SNP, data, means, datetime(2026, 3, 1, tzinfo=UTC)
        )


def _others():
    for name, at in (
        ("prod-2022", datetime(2022, 10, 13, 8, 58, 2, 136000, UTC)),
        ("prod-2025-indefinite", datetime(2025, 11, 10, 17, 20, 10, 812000, UTC)),
    ):
        data = (VECTORS / f"nitro/{name}.bin").read_bytes()
        yield Seed(f"nitro/{name}", EvidenceKind.NITRO, data, Means(), at)
    platform = public_key_of(json.loads((VECTORS / "cca/platform.jwk").read_text()))
    for name in ("bound-399", "bound-907"):
        data = (VECTORS / f"cca/{name}.cbor").read_bytes()
        yield Seed(f"cca/{name}", EvidenceKind.ARM_CCA, data, Means(keys={"*": platform}), NOW)
    data = (VECTORS / "tpm/quote-rsa.json").read_bytes()
    yield Seed("tpm/quote-rsa", EvidenceKind.TPM, data, Means(), NOW, text=True)
    yield Seed(
        "tpm/azure-snp",
        EvidenceKind.TPM_AZURE,
        (VECTORS / "tpm/azure-snp-vtpm.json").read_bytes(),
        Means(authorities=(OWN / "snp/amd-milan-ask-ark-asvk.pem").read_bytes()),
        datetime(2025, 3, 1, tzinfo=UTC),
        text=True,
    )
    yield Seed(
        "confidential-space",
        EvidenceKind.CONFIDENTIAL_SPACE,
        (VECTORS / "confidential_space/tdx-2025.jwt").read_bytes().strip(),
        Means(audience="z08381475938604996746"),
        datetime(2025, 9, 5, 8, 30, tzinfo=UTC),
        text=True,
    )


def _azure():
    evidence = (VECTORS / "tpm/azure-snp-vtpm.json").read_bytes()
    chain = (OWN / "snp/amd-milan-ask-ark-asvk.pem").read_bytes()
    at, kind = datetime(2025, 3, 1, tzinfo=UTC), EvidenceKind.TPM_AZURE
    old = clouds.azure_old(evidence)
    yield Seed("tpm/azure-snp-old", kind, old, Means(authorities=chain), at, text=True)
    report, key, quote = clouds.azure_parts(evidence)
    report = report.rstrip(b"\0")
    means = Means(certificate=key, authorities=chain)
    # Its header is hashed by nobody.
    yield Seed("tpm/azure-report", kind, report, means, at, text=True)
    means = replace(means, quotes=(quote,))
    yield Seed("tpm/azure-report-and-quote", kind, report, means, at, text=True)


def _clouds():
    rsa_key = tpm_quotes.rsa_key().public_key()
    root = frozenset({hashlib.sha256(nitro_documents.ROOT).digest()})
    keys, made = {"the key": rsa_key}, nitro_documents.MADE
    token = clouds.rs256(clouds.MAA_CLAIMS)
    yield Seed("maa", EvidenceKind.MAA, token, Means(keys=keys), made, text=True)
    means, kind = Means(roots=root), EvidenceKind.NITRO_TPM
    yield Seed("nitro-tpm/document", kind, clouds.nitro_tpm(), means, made)
    both = clouds.Cloud({"sha384": clouds.PCRS}, clouds.nitro_tpm()).json()
    yield Seed("nitro-tpm/quote", kind, both, means, made, text=True)
    on_curve = Means(keys={"*": tpm_quotes.EC_KEY.public_key()})
    of_rsa, kind = Means(keys={"*": rsa_key}), EvidenceKind.TPM
    yield Seed("tpm/vaportpm", kind, clouds.Cloud().json(), on_curve, NOW, text=True)
    yield Seed("tpm/keylime", kind, clouds.keylime(), on_curve, NOW, text=True)
    log = event_logs.boot()
    registers = {"sha256": replay(parse_event_log(log), "sha256")}
    with_log = replace(on_curve, event_log=log)
    yield Seed("tpm/event-log", kind, clouds.keylime(registers), with_log, NOW, text=True)
    yield Seed("tpm/go-attestation", kind, clouds.go_attestation(), of_rsa, NOW, text=True)
    for form in ("hex", "numbers"):
        data = clouds.trustee_quote(form)
        yield Seed(f"tpm/trustee-{form}", kind, data, of_rsa, NOW, text=True)
    yield Seed("tpm/bincode", kind, clouds.trustee_quote("bincode"), of_rsa, NOW)
    realm = {265: "tag:arm.com,2024:realm#2.0.0", 44243: 1, 44244: 0, 256: b"\1" * 33}
    platform = Means(keys={"*": cca_tokens.PLATFORM_KEY.public_key()})
    data = cca_tokens.Recipe(realm=realm).token()
    yield Seed("cca/second-profile", EvidenceKind.ARM_CCA, data, platform, NOW)


def _signed_by_us():
    means = Means(keys={"*": DEVICE.public_key()}, nonce=CHALLENGE)
    token = sign1_by_hand(cbor2.dumps(dict(RFC9783_CLAIMS)))
    yield Seed("psa/by-hand", EvidenceKind.PSA, token, means, NOW)
    yield from _published_tokens()
    ear = an_ear()
    yield Seed("ear/cwt", EvidenceKind.EAR, sign_ear(ear, DEVICE), means, NOW)
    yield Seed(
        "ear/jwt", EvidenceKind.EAR, sign_ear_jwt(ear, DEVICE).encode(), means, NOW, text=True
    )
    yield Seed("corim/signed", EvidenceKind.CORIM, _bundle(), replace(means, nonce=None), NOW)


def _nvidia():
    gpu = nvidia.Device()
    means = Means(roots=nvidia.ROOTS, authorities=gpu.chain)
    yield Seed("nvidia/report", EvidenceKind.NVIDIA, gpu.report, means, NOON)
    two = nvidia.device_list(gpu, nvidia.Device(leaf=nvidia.SECOND_LEAF))
    rims = (nvidia.Rim().sign(), nvidia.FIRMWARE_RIM.sign())
    bare = Means(roots=nvidia.ROOTS)
    with_rims = replace(bare, manifests=rims)
    yield Seed("nvidia/two", EvidenceKind.NVIDIA, two, with_rims, NOON, text=True)
    yield Seed("nvidia/rim", EvidenceKind.NVIDIA_RIM, rims[0], bare, NOON, text=True)
    keys = Means(keys={"k": nvidia.SERVICE.public_key()})
    yield Seed("nvidia/nras", EvidenceKind.NVIDIA_NRAS, nvidia.bundle(), keys, NOON, text=True)
    whole = machine_with_gpus(nvidia.NONCE, two)
    yield Seed("composite", EvidenceKind.COMPOSITE, whole, bare, NOON, text=True)


def machine_with_gpus(nonce: bytes, gpus: bytes) -> bytes:
    """Composite evidence: a TPM's quote, and GPUs, all for one challenge."""
    registers = {index: bytes((index,)) * 32 for index in range(24)}
    recipe = tpm_quotes.Recipe(extra_data=nonce, registers={"sha256": registers})
    message = recipe.message()
    key = tpm_quotes.EC_KEY.public_key()
    parts = {"message": message, "signature": tpm_quotes.ec_signature(message)}
    quote = {
        "ak_public": b64encode(
            key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        ).decode(),
        "tpm_quote": {
            **{name: b64encode(value).decode() for name, value in parts.items()},
            "pcrs": [value.hex() for value in registers.values()],
        },
    }
    members = {
        "cpu": {"kind": "tpm", "evidence": quote},
        "gpus": {"kind": "nvidia", "evidence": json.loads(gpus)},
    }
    return json.dumps({"submods": members}).encode()


def _published_tokens():
    folder = VECTORS / "psa_attestation"
    about = json.loads((folder / "expected.json").read_text())
    keys: dict[str, ec.EllipticCurvePublicKey] = {}
    for each in about["instances"]:
        key = load_der_public_key(bytes.fromhex(each["public_key"]))
        assert isinstance(key, ec.EllipticCurvePublicKey)
        keys[each["instance_id"]] = key
    for name in ("ok-es384", "ok-psa-2.0.0", "ok-profile-1"):
        data = (folder / f"{name}.cbor").read_bytes()
        yield Seed(f"psa/{name}", EvidenceKind.PSA, data, Means(keys=keys), NOW)


def an_ear() -> Ear:
    """An affirming result, fresh at `NOW`."""
    moment = int(NOW.timestamp())
    return Ear(
        verifier=VerifierId("veracruz", "0.1.0"),
        issued_at=moment,
        expires_at=moment + 300,
        nonce=CHALLENGE,
        submods={"isolate": Appraisal(Tier.AFFIRMING, TrustVector(executables=3))},
    )


def _bundle() -> bytes:
    measured = {0: "psa.software-component", 1: {2: [[1, b"\x11" * 32]], 11: "BL"}}
    environment = {0: {0: cbor2.CBORTag(560, b"\x33" * 32)}}
    comid = {1: {0: b"\x44" * 16}, 4: {0: [[environment, [measured]]]}}
    corim = {0: "id", 1: [cbor2.CBORTag(506, cbor2.dumps(comid))]}
    header = {1: -7, 3: "application/rim+cbor", 8: cbor2.dumps({0: {0: "signer"}})}
    return sign1_by_hand(cbor2.dumps(cbor2.CBORTag(501, corim)), DEVICE, protected=header)
