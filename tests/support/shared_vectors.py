"""Every entry of ../shared/vectors through what users have: `tabasco verify`, `psa_attestation`.

An adapter per folder gives, for one entry, the verdict that its page names and ours: `accept`,
`refuse` (authentic, not acceptable) or `reject`.
"""

import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from psa_attestation.corim.bundle import read_unsigned_corim, verify_corim
from psa_attestation.corim.profiles import CCA_PROFILE, PSA_PROFILE, REALM_PROFILE
from psa_attestation.cose.messages import parse
from psa_attestation.cose.verification import MacKey
from psa_attestation.errors import AttestationError
from psa_attestation.jose.base64url import from_base64url
from psa_attestation.jose.jwk import decode_key_set
from psa_attestation.results.ear_claims import EarProfile
from psa_attestation.results.ear_jwt import verify_ear_jwt
from psa_attestation.tokens.claims import PsaProfile
from psa_attestation.tokens.claims_codec import decode_claims
from psa_attestation.tokens.token import verify_token
from support.claim_forms import cca_from_json, from_diagnostic, psa_from_json, public_key, unbase64
from support.corim_bundles import read_comid
from support.format_vectors import FOLDERS
from support.jwts import jwt_by_hand
from support.psa_tokens import DEVICE
from tabasco.cli import main
from tabasco.verify import EvidenceError
from tabasco.verify.arm.cca_claims import decode_realm
from veracruz_utils.secret import Secret

SHARED = Path(__file__).parents[3] / "shared" / "vectors"
ACCEPT, REFUSE, REJECT = "accept", "refuse", "reject"
_EVERY = frozenset(PsaProfile)
_CORIM_TIME = 1_700_000_000
Vector = dict[str, Any]


@dataclass(frozen=True)
class Verdict:
    """What the entry's page says, and what we say."""

    folder: str
    name: str
    expected: str
    ours: str

    @property
    def agrees(self) -> bool:
        """Whether both say the same."""
        return self.expected == self.ours


def verdicts() -> Iterator[Verdict]:
    """All of them, folder by folder."""
    for folder, adapter in _ADAPTERS.items():
        for vector in json.loads((SHARED / folder / "expected.json").read_text())["vectors"]:
            name = vector.get("id") or vector["file"]
            for expected, ours in adapter(SHARED / folder, vector):
                yield Verdict(folder, name, expected, ours)


def _command(*arguments: object) -> str:
    done = CliRunner().invoke(main, ["verify", *map(str, arguments), "--json"])
    assert done.exit_code in {0, 3}, done.output + done.stderr
    report = json.loads(done.stdout)
    return ACCEPT if report["accepted"] else REFUSE if report["authentic"] else REJECT


def _library(action: Callable[[], object]) -> str:
    try:
        action()
    except (AttestationError, EvidenceError):
        return REJECT
    return ACCEPT


def _intel(folder: Path, vector: Vector):
    text = vector["expect"]
    for used in vector.get("with_collateral", ()):
        collateral, at = folder / used["collateral"], used["verify_at"]
        # A default policy accepts what is up to date, and no debug, weak attribute or service TD.
        plain = text.startswith(("accept", "UpToDate"))
        expected = ACCEPT if plain and used["tcb_status"] == "UpToDate" else REFUSE
        if "trailing-garbage" in vector["id"]:
            expected = REJECT
        yield expected, _command(folder / vector["file"], "--collateral", collateral, "--at", at)
    if not vector.get("with_collateral"):
        yield REJECT, _command(folder / vector["file"])


def _snp(folder: Path, vector: Vector):
    good = vector["expect"].startswith(ACCEPT)
    real = vector["crypto"]["report_signature"] is True
    found = _command(
        folder / vector["report"], "--certificate", folder / vector["signing_cert"],
        "--authorities", folder / vector["amd_chain"], "--at", vector["verify_at"][-10:],
    )  # fmt: skip
    yield ACCEPT if good else REFUSE if real else REJECT, found


def _nitro(folder: Path, vector: Vector):
    at = ["--at", vector["verify_at"]] if "verify_at" in vector else []
    debug = "crypto" in vector and not vector["expect"].startswith(ACCEPT)
    yield (
        REFUSE if debug else ACCEPT if at else REJECT,
        _command(folder / vector["file"], *at),
    )


_CCA_KEYS = {
    "tfm-cca-token": "tfm-cca-platform.pem",
    "tfm-cca-example-legacy": "tfm-cca-platform.pem",
    "tfm-cca-platform-only": "tfm-cca-platform.pem",
    "cca-token-02": "cca-ta-02-ok.json",
    "cca-unbound-realm": "cca-ta-tfa.json",
    "cca-trustee-example": "cca-trustee-cpak.jwk",
}


def _cca(folder: Path, vector: Vector):
    if "file" in vector:
        claims = json.loads((folder / vector["file"]).read_text())
        yield vector["expect"], _library(lambda: decode_realm(cca_from_json(claims)))
    elif vector["id"] == "cca-claims":
        for name in vector["files"][:4]:
            expected = REJECT if "missing" in name else ACCEPT
            data = (folder / name).read_bytes()
            yield expected, _library(lambda data=data: decode_realm(data))
    else:
        expected = ACCEPT if vector["expect"].startswith(ACCEPT) else REJECT
        key = folder / _CCA_KEYS[vector["id"]]
        with tempfile.NamedTemporaryFile("w", suffix=".jwk") as file:
            if key.suffix == ".json":  # a registration, with the key inside
                json.dump(json.loads(key.read_text())[0]["pkey"], file)
                file.flush()
                key = Path(file.name)
            yield expected, _command(folder / vector["files"][0], "--key", key)


def _tpm(folder: Path, vector: Vector):
    file = folder / vector["files"][0]
    if vector["id"] == "azure-snp-vtpm":
        chain = SHARED / "snp" / "amd-milan-ask-ark-asvk.pem"
        yield ACCEPT, _command(file, "--authorities", chain, "--at", "2025-03-01")
    elif vector["id"] == "azure-tdx-vtpm":
        collateral = SHARED / "tdx/collateral/intel-2025-02_tdx_00806f05.json"
        yield REFUSE, _command(file, "--collateral", collateral, "--at", "2025-02-20")
    else:  # a key that nobody certifies; go-tpm-tools' protobuf, whose parser is optional
        yield REFUSE if file.suffix == ".json" else REJECT, _command(file)


_PSA_KEYS = {
    "rfc9783-a1": "rfc9783-a1-iak.jwk",
    "tfm-psa-2.0.0": "tfm-public.pem",
    "veraison-e2e-psa": "veraison-e2e-key.jwk",
}


def _psa(folder: Path, vector: Vector):
    file, text = folder / vector["file"], vector["expect"]
    if file.suffix == ".cbor":
        key = folder / _PSA_KEYS.get(vector["id"], "tfm-public.pem")
        old = ["--accept-concern", "psa.old-profile"]
        expected = ACCEPT if vector["id"] in _PSA_KEYS else REJECT
        yield expected, _command(file, "--key", key, *old)
    elif file.suffix == ".diag":
        yield text, _library(lambda: decode_claims(from_diagnostic(file.read_text()), _EVERY))
    else:
        document = json.loads(file.read_text())
        columns = {"psa/2.0.0": 0, "profile1": 1, "later profiles": 0}
        parts = dict(part.split(": ") for part in text.split("; ")) if ":" in text else {}
        for name, expected in (parts or {"psa/2.0.0": text}).items():
            claims = psa_from_json(document, columns[name])
            yield expected, _library(lambda claims=claims: decode_claims(claims, _EVERY))


def _psa_generated(folder: Path, vector: Vector):
    about = json.loads((folder / "expected.json").read_text())
    options = [
        f"--key={each['instance_id']}={folder / each['public_key']}"
        for each in about["registered_instances"].values()
    ]
    if vector["key"] == "hmac":
        secret = (folder / about["symmetric_instance"]["key"]).read_bytes()
        mac = MacKey(Secret(secret))
        nonce = bytes.fromhex(vector["expected_challenge"])
        token = (folder / vector["file"]).read_bytes()
        yield (
            vector["expect"],
            _library(lambda: verify_token(token, key_for=lambda _: mac, nonce=nonce)),
        )
        return
    found = _command(
        folder / vector["file"], *options, "--nonce", vector["expected_challenge"],
        "--accept-concern", "psa.old-profile",
    )  # fmt: skip
    # What is stale or not secured is authentic; the page knows one word for both.
    yield vector["expect"], REJECT if found == REFUSE else found


def _ear_generated(folder: Path, vector: Vector):
    keys = decode_key_set((folder / "jwks.json").read_bytes())
    token = (folder / vector["file"]).read_text().strip()
    nonce, at = from_base64url(vector["expected_nonce"], "nonce"), vector["verify_at_unix"]
    yield vector["expect"], _library(lambda: verify_ear_jwt(token, keys=keys, nonce=nonce, at=at))


def _ear(folder: Path, vector: Vector):
    file = folder / vector["file"]
    if file.suffix == ".jwt":
        at = datetime.fromtimestamp(1757060250 + 60, UTC).isoformat()
        yield ACCEPT, _command(file, "--audience", "z08381475938604996746", "--at", at)
        return
    claims = json.loads(file.read_text())
    token = jwt_by_hand(claims, DEVICE)
    yield ACCEPT, _library(
        lambda: verify_ear_jwt(
            token, keys={"k": DEVICE.public_key()}, nonce=None, at=claims["iat"],
            profiles=frozenset(EarProfile), lifetime_s=300,
        )
    )  # fmt: skip


def _corim(folder: Path, vector: Vector):
    file = folder / vector["file"]
    if file.suffix == ".jwk":
        yield vector["expect"], _library(lambda: public_key(json.loads(file.read_text())))
        return
    data, scheme = file.read_bytes(), file.parent.name
    profiles = {"psa": {PSA_PROFILE}, "cca": {CCA_PROFILE, REALM_PROFILE}}.get(scheme)
    key = public_key(json.loads((folder / "corim/src/ec-p256.jwk").read_text()))
    if file.name.startswith("signed"):
        found = _library(lambda: verify_corim(data, key=key, at=_CORIM_TIME))
    elif file.name.startswith("comid"):
        found = _library(lambda: read_comid(data))
    else:
        found = _library(lambda: read_unsigned_corim(data, at=_CORIM_TIME, profiles=profiles))
    yield vector["expect"], found


def _cose(folder: Path, vector: Vector):
    example = json.loads((folder / vector["file"]).read_text())
    data = bytes.fromhex(example["output"]["cbor"])
    made = example["input"].get("sign0") or example["input"].get("mac0")
    if made is None:  # COSE_Sign, of several signers
        yield vector["expect"], _library(lambda: parse(data))
        return
    key = (
        MacKey(Secret(unbase64(made["recipients"][0]["key"]["k"])))
        if "recipients" in made
        else public_key(made["key"])
    )
    context = bytes.fromhex(made.get("external", ""))
    yield vector["expect"], _library(lambda: parse(data).verify(key, external_aad=context))


def nvidia_options(folder: Path, vector: Vector) -> list[object]:
    """What `tabasco verify` is told besides the file of an entry of `nvidia`."""
    given: list[object] = []
    for name in vector["files"][1:]:
        if "chain" in name:
            given += ["--authorities", folder / name]
        if "jwks" in name:
            given += ["--key", folder / name]
    if nonce := vector["parameters"].get("nonce"):
        given += ["--nonce", nonce]
    # The recorded answer of NVIDIA's service is good for an hour of this day.
    recorded = "2026-06-29T02:09:03Z" if "nras" in vector["id"] else None
    at = vector["parameters"].get("verify_at", recorded)
    return [*given, "--at", at] if at else given


def _nvidia(folder: Path, vector: Vector):
    # A byte behind the signature is refused, as the page allows.
    good = vector["verdict"].startswith((ACCEPT, "authentic")) and "trailing" not in vector["id"]
    late = "nonce" in vector["id"] or vector["id"] == "nras-gpu-v2-expired"
    found = _command(folder / vector["files"][0], *nvidia_options(folder, vector))
    yield ACCEPT if good else REFUSE if late else REJECT, found


def _formats(folder: Path, vector: Vector):
    """Folders of clouds' formats; what is right of each is said in `support.format_vectors`."""
    given = FOLDERS[folder.name].get(vector["id"])
    if given is not None:  # certificates by themselves are no evidence
        yield given.verdict, _command(*given.arguments(folder))


_ADAPTERS = {
    "nvidia": _nvidia,
    **dict.fromkeys(FOLDERS, _formats),
    "sgx": _intel,
    "tdx": _intel,
    "snp": _snp,
    "nitro": _nitro,
    "cca": _cca,
    "tpm": _tpm,
    "psa": _psa,
    "psa-generated": _psa_generated,
    "ear": _ear,
    "ear-generated": _ear_generated,
    "corim": _corim,
    "cose": _cose,
}
