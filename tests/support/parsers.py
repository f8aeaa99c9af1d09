"""Every parser of hostile bytes: what it reads, where changes of it begin, its one kind of error.

What is signed is changed below the signature and signed again, so that changes reach the parser.
"""

import datetime as dt
import json
import struct
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

import cbor2
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

import colima
from baja import PeerError
from colima import WireError, isolate, runtime, sinaloa, sonora, tabasco
from durango.attestation_files import SavedAttestation
from durango.bundles import ReceiptBundle
from durango.consents import signer_of
from durango.errors import ConsentError
from durango.evidence import Evidence
from psa_attestation.cbor.decoding import ANY_TAG, DecodeLimits, decode
from psa_attestation.consents.consent import PolicyConsent
from psa_attestation.consents.signing import sign_consent
from psa_attestation.corim.bundle import read_unsigned_corim
from psa_attestation.corim.release import ImageRelease, sign_release, verify_release
from psa_attestation.cose.keys import decode_cose_key
from psa_attestation.cose.messages import parse
from psa_attestation.errors import AttestationError
from psa_attestation.evidence.native import NativeEvidence
from psa_attestation.jose.jwk import decode_key_set, encode_key_set
from psa_attestation.receipts.verification import verify_receipt
from psa_attestation.results.ear import verify_ear
from psa_attestation.results.ear_claims import EarProfile
from psa_attestation.results.ear_jwt import verify_ear_jwt
from psa_attestation.tokens.claims import PsaProfile
from psa_attestation.tokens.claims_codec import decode_claims
from psa_attestation.tokens.token import verify_token
from sdk.encoding import csv_cells
from sdk.errors import SchemaError
from sonora.errors import SonoraError
from sonora.evidence.nsm import NsmSource
from sonora.evidence.tpm.commands import Tpm
from sonora.evidence.tpm.keys import key_in
from sonora.evidence.tsm import certificates
from support import cloud_evidence as clouds
from support import (
    endorsements,
    event_logs,
    machine_files,
    nitro_documents,
    policies,
    receipts,
    tls_pair,
    tpm_keys,
    tpm_quotes,
)
from support import nvidia_devices as nvidia
from support.corim_bundles import read_comid
from support.evidence_mutation import changed_bytes
from support.jwts import jwt_by_hand, part
from support.platform_fakes import FakeTpm
from support.psa_tokens import (
    CHALLENGE,
    DEVICE,
    PROFILE_1_CLAIMS,
    RFC9783_CLAIMS,
    key_for,
    sign1_by_hand,
)
from support.throwaway_chain import NOON
from tabasco.verify import EvidenceError
from tabasco.verify.composite import parse_composite
from tabasco.verify.eventlog.log import parse_event_log
from tabasco.verify.jose.keys import read_key_document
from tabasco.verify.microsoft.maa import verify_maa
from tabasco.verify.nvidia.evidence_json import parse_devices
from tabasco.verify.nvidia.nras import verify_bundle
from tabasco.verify.nvidia.opaque import facts_of, parse_opaque
from tabasco.verify.nvidia.rim import verify_manifest
from tabasco.verify.nvidia.spdm import parse_report as parse_spdm
from tabasco.verify.tpm.azure import parse_hcl
from tabasco.verify.tpm.azure_json import parse_azure
from tabasco.verify.tpm.endorsement import verify_endorsement
from tabasco.verify.tpm.go_attestation import parse_go_attestation
from tabasco.verify.tpm.key_area import attestation_key
from tabasco.verify.tpm.keylime import parse_keylime
from tabasco.verify.tpm.tpm2_tools import document_of
from tabasco.verify.tpm.trustee_quote import parse_trustee_quote
from tabasco.verify.tpm.vaportpm import parse_cloud_quote
from tabasco.verify.xml.canonical import canonical
from tabasco.verify.xml.tree import parse as parse_xml
from veracruz_utils.encoding import pinecone
from veracruz_utils.encoding.errors import EncodingError, PineconeError, TypeExpressionError
from veracruz_utils.encoding.walk import check
from veracruz_utils.errors import VeracruzError
from veracruz_utils.policy import Policy, PolicyError

AT = 1_790_000_100
VECTORS = Path(__file__).parents[1] / "vectors"
_ANY = DecodeLimits(tags=ANY_TAG, allow_indefinite=True)
_PROFILES = frozenset(PsaProfile)
_PEOPLE = pinecone.parse_type("HashMap<String, Vec<(u8, Option<f64>)>>")


@dataclass(frozen=True)
class Parser:
    """`read` gives a value for every one of `seeds`, and a value or `error` for any bytes."""

    name: str
    read: Callable[[bytes], object]
    seeds: tuple[bytes, ...]
    error: type[Exception] = AttestationError


def try_changed(parser: Parser, random: Random) -> str:
    """What came of one change; anything but a value or the parser's own error is raised."""
    data = changed_bytes(random, random.choice(parser.seeds), parser.seeds)
    try:
        parser.read(data)
    except parser.error:
        return "refused"
    return "read"


def parsers() -> list[Parser]:
    """All of them."""
    groups = (
        _of_tokens, _of_results, _of_bundles, _of_others, _of_platforms, _of_tpms, _of_clouds,
        _of_nvidia,
        _of_messages, _of_machines,
    )  # fmt: skip
    return [parser for group in groups for parser in group()]


def _of_tokens():
    payloads = tuple(cbor2.dumps(dict(each)) for each in (RFC9783_CLAIMS, PROFILE_1_CLAIMS))
    tokens = tuple(sign1_by_hand(payload) for payload in payloads)
    values = [1.5, -(2**63), None, True, "é", {b"k": cbor2.CBORTag(1, 5)}]
    yield Parser("cbor", lambda data: decode(data, _ANY), (*tokens, *payloads, cbor2.dumps(values)))
    yield Parser("cose", parse, (*tokens, sign1_by_hand(b"", protected={1: -7, 2: [4], 4: b"k"})))
    yield Parser("claims", lambda data: decode_claims(data, _PROFILES), payloads)
    yield Parser("token", _token, payloads)
    yield Parser("cose-key", decode_cose_key, (cbor2.dumps(_cose_key()),))


def _token(payload: bytes) -> object:
    token = sign1_by_hand(payload)
    return verify_token(token, key_for=key_for, nonce=CHALLENGE, profiles=_PROFILES)


def _cose_key() -> dict[int, object]:
    numbers = DEVICE.public_key().public_numbers()
    return {1: 2, -1: 1, -2: numbers.x.to_bytes(32), -3: numbers.y.to_bytes(32)}


def _of_results():
    appraisal = {1000: 2, 1001: {0: 2, 2: 3}, 1003: ["policy"], 10: bytes(8)}
    members = {
        265: EarProfile.IETF_03.value,
        6: AT - 5,
        4: AT + 60,
        10: CHALLENGE,
        1002: b"evidence",
        1004: {0: "veracruz", 1: "1"},
        266: {"isolate": appraisal},
    }
    yield Parser("ear-cwt", _ear_cwt, (cbor2.dumps(members),))
    names = {
        "eat_profile": EarProfile.IETF_03.value,
        "iat": AT - 5,
        "exp": AT + 60,
        "ear_verifier_id": {"developer": "veracruz", "build": "1"},
        "eat_nonce": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
        "submods": {
            "isolate": {"ear_status": "affirming", "ear_trustworthiness_vector": {"hardware": 2}}
        },
    }
    old = {
        "eat_profile": EarProfile.VERAISON_2023.value,
        "iat": AT - 5,
        "exp": AT + 60,
        "ear.verifier-id": {"developer": "veraison", "build": "1"},
        "eat_nonce": names["eat_nonce"],
        "submods": {"PSA": {"ear.status": "warning", "ear.appraisal-policy-id": "p"}},
    }
    documents = tuple(json.dumps(each).encode() for each in (names, old))
    yield Parser("ear-jwt", _ear_jwt, documents)
    whole = tuple(jwt_by_hand(document).encode() for document in documents)
    yield Parser("jws", lambda data: _verify_jwt(data.decode("latin-1")), whole)
    yield Parser("jwks", decode_key_set, (encode_key_set({"a": DEVICE.public_key()}),))


def _ear_cwt(payload: bytes) -> object:
    return verify_ear(
        sign1_by_hand(payload),
        key=DEVICE.public_key(),
        nonce=CHALLENGE,
        at=AT,
        profiles=frozenset(EarProfile),
    )


def _ear_jwt(payload: bytes) -> object:
    return _verify_jwt(jwt_by_hand(payload))


def _verify_jwt(text: str) -> object:
    keys = {"k": DEVICE.public_key()}
    return verify_ear_jwt(text, keys=keys, nonce=CHALLENGE, at=AT, profiles=frozenset(EarProfile))


def _of_nvidia():
    device = nvidia.Device(opaque={**nvidia.OPAQUE, 15: b"882", 34: b"\1\0"})
    report = device.report
    fields = parse_spdm(report).opaque
    listed = nvidia.device_list(device)
    whole = json.dumps({"submods": {"gpus": {"kind": "nvidia", "evidence": [1]}}}).encode()
    for name, read, seed in (
        ("spdm", parse_spdm, report),
        ("opaque", lambda data: facts_of(parse_opaque(data)), fields),
        ("nvidia-json", parse_devices, listed),
        ("composite", parse_composite, whole),
        ("xml", lambda data: canonical(parse_xml(data)), nvidia.Rim().sign()),
        ("rim", _rim, nvidia.Rim().document.encode()),
        ("nras", _nras, json.dumps(nvidia.GPU).encode()),
    ):
        yield Parser(name, read, (seed,), EvidenceError)


def _rim(document: bytes) -> object:
    data = nvidia.signed_document(document)
    return verify_manifest(data, at=nvidia.NOON, roots=nvidia.ROOTS)


def _nras(payload: bytes) -> object:
    data = nvidia.bundle_by_hand(payload)
    return verify_bundle(data, keys={"k": nvidia.SERVICE.public_key()}, at=nvidia.NOON)


def _of_bundles():
    measured = {0: "element", 1: {0: {0: "1"}, 1: 7, 2: [[1, b"\x11" * 32]], 4: b"raw", 11: "BL"}}
    environment = {0: {0: cbor2.CBORTag(560, b"\x33" * 32), 1: "vendor"}}
    owner = environment | {1: cbor2.CBORTag(550, b"\x01" * 33)}
    key = cbor2.CBORTag(558, cbor2.dumps(_cose_key()))
    triples = {0: [[environment, [measured]]], 3: [[owner, [key]]]}
    comid = cbor2.dumps({1: {0: b"\x44" * 16}, 4: triples})
    validity = {0: cbor2.CBORTag(1, AT - 9), 1: cbor2.CBORTag(1, AT + 9)}
    tags = [cbor2.CBORTag(506, comid)]
    bundle = cbor2.CBORTag(501, {0: "id", 1: tags, 3: cbor2.CBORTag(32, "tag:x"), 4: validity})
    yield Parser("comid", read_comid, (comid,))
    yield Parser("corim", lambda data: read_unsigned_corim(data, at=AT), (cbor2.dumps(bundle),))
    release = ImageRelease("0.1.0", {"x86_64": b"\x11" * 32}, "maker", AT - 9, AT + 9)
    yield Parser("release", _release, (cbor2.loads(sign_release(release, DEVICE)).value[2],))


def _release(payload: bytes) -> object:
    times = {0: cbor2.CBORTag(1, AT - 9), 1: cbor2.CBORTag(1, AT + 9)}
    meta = cbor2.dumps({0: {0: "maker"}, 1: times})
    protected = {1: -7, 3: "application/rim+cbor", 8: meta}
    signed = sign1_by_hand(payload, protected=protected)
    return verify_release(signed, key=DEVICE.public_key(), at=AT)


def _of_others():
    def receipt(payload: bytes) -> object:
        return verify_receipt(receipts.signed_by_hand(payload), certificate_digest=receipts.DIGEST)

    seeds = (cbor2.dumps(receipts.MEMBERS), cbor2.dumps(receipts.MEMBERS_V1))
    yield Parser("receipt", receipt, seeds)
    yield Parser("bundle", ReceiptBundle.parse, (_bundle(),), VeracruzError)
    asked = policies.current_document() | {"consent": "any"}
    asking = Policy.parse(policies.text(asked), at=policies.NOW)
    yield Parser(
        "consent", lambda data: signer_of(asking, data, name="it"), (_consent(asking),),
        error=ConsentError,
    )  # fmt: skip
    native = NativeEvidence("sev-snp", b"report", {"certificate": b"der"}).encode()
    yield Parser("native-evidence", NativeEvidence.decode, (native,))
    texts = tuple(map(policies.text, (policies.current_document(), policies.document_2021())))
    yield Parser("policy", lambda data: Policy.parse(data, at=policies.NOW), texts, PolicyError)
    people = pinecone.encode(_PEOPLE, {"clare": [(1, None), (2, 0.5)], "é": []})
    yield Parser(
        "pinecone", lambda data: pinecone.decode(_PEOPLE, data), (people,), error=PineconeError
    )
    yield Parser("walk", lambda data: check(_PEOPLE, data), (people,), error=PineconeError)
    expression = str(_PEOPLE).encode()
    yield Parser(
        "type", lambda data: pinecone.parse_type(data.decode("latin-1")), (expression,),
        error=TypeExpressionError,
    )  # fmt: skip
    schema = b'columns = ["string", "discard", "f64"]\ndelimiter = 59\nhas-headers = true\n'
    cells, read = b'name;note;size\n"a;b";-;1.5\n\xc3\xa9;x;-3e9\n', csv_cells.parse_schema(schema)
    encoded = csv_cells.encode_csv(read, cells).data
    yield Parser("csv-schema", csv_cells.parse_schema, (schema,), SchemaError)
    yield Parser("csv", lambda data: csv_cells.encode_csv(read, data), (cells,), EncodingError)
    yield Parser(
        "csv-cells", lambda data: csv_cells.decode_csv(read, data), (encoded,), EncodingError
    )


def _consent(policy: Policy) -> bytes:
    author = policy.identities[0]
    consent = PolicyConsent.of(policy.digest.value, author.client_id, author.certificate)
    return sign_consent(consent, policies.key_of("paula"))


def _bundle() -> bytes:
    """A well-formed one, of which nothing holds."""
    evidence = Evidence(bytes(32), b"token", b"result")
    saved = SavedAttestation(evidence, dt.datetime.fromtimestamp(AT, dt.UTC))
    return ReceiptBundle(
        (b"receipt",), saved, policies.text(policies.current_document())
    ).to_bytes()


def _of_platforms():
    """What a host or a device answers to Sonora."""
    guid = uuid.UUID("63da758d-e664-4564-adc5-f4b93be8accd").bytes_le
    entry = guid + struct.pack("<II", 48, 4)
    yield Parser("snp-certificates", certificates, (entry + bytes(24) + b"cert",), SonoraError)
    described = cbor2.dumps({"DescribeNSM": {"module_id": "i", "max_pcrs": 32}})
    answer = cbor2.dumps({"Attestation": {"document": b"document"}})

    def nsm(data: bytes) -> object:
        answers = [described, data]
        return NsmSource(lambda _: answers.pop(0)).evidence(bytes(32))

    yield Parser("nsm", nsm, (answer,), SonoraError)
    fake = FakeTpm()
    public = fake(struct.pack(">HIII", 0x8001, 14, 0x173, fake.handle))

    def tpm(data: bytes) -> object:
        return key_in(Tpm(lambda _: data, pause=lambda _: None).public_area(fake.handle))

    yield Parser("tpm", tpm, (public,), SonoraError)


def _of_machines():
    """Images of machines, and firmware for them."""
    for name, read, seeds in machine_files.READ:
        yield Parser(name, read, seeds, machine_files.ERROR)


def _of_tpms():
    """What a machine shows of its TPM, and what tools write of a quote."""
    yield Parser("tpm-key-area", attestation_key, (tpm_keys.ecc_area(),), EvidenceError)

    def endorsement(data: bytes) -> object:
        return verify_endorsement(
            data, endorsements.BETWEEN.pem, trusted=[endorsements.ROOT.der], at=NOON
        )

    yield Parser("endorsement", endorsement, (endorsements.made(),), EvidenceError)
    files = {
        name: (VECTORS / f"tpm/tpm2-tools/{name}").read_bytes()
        for name in ("values.msg", "values.sig", "values.pcrs", "serialized.pcrs")
    }

    def registers(data: bytes) -> object:
        return document_of(files["values.msg"], files["values.sig"], data)

    written = (files["values.pcrs"], files["serialized.pcrs"])
    yield Parser("tpm2-registers", registers, written, EvidenceError)


def _of_clouds():
    """What machines of clouds show, below and beside their signatures."""
    logs = (event_logs.boot(), event_logs.old(0, event_logs.SEPARATOR, bytes(4)))
    yield Parser("event-log", parse_event_log, logs, EvidenceError)
    quotes = {
        "keylime": (parse_keylime, clouds.keylime()),
        "vaportpm": (parse_cloud_quote, clouds.Cloud(document=b"document", chain="chain").json()),
        "go-attestation": (parse_go_attestation, clouds.go_attestation()),
        "trustee-quote": (parse_trustee_quote, clouds.trustee_quote()),
        "bincode": (parse_trustee_quote, clouds.trustee_quote("bincode")),
    }
    for name, (read, seed) in quotes.items():
        yield Parser(name, read, (seed,), EvidenceError)
    evidence = (VECTORS / "tpm/azure-snp-vtpm.json").read_bytes()
    report, _, _ = clouds.azure_parts(evidence)
    old = clouds.azure_old(evidence)
    yield Parser("azure", parse_azure, (evidence, old), EvidenceError)
    yield Parser("hcl-report", parse_hcl, (report,), EvidenceError)

    def maa(claims: bytes) -> object:
        keys = {"the key": tpm_quotes.rsa_key().public_key()}
        return verify_maa(clouds.rs256(claims), at=nitro_documents.MADE, keys=keys)

    claims = clouds.MAA_CLAIMS | {"x-ms-isolation-tee": clouds.SNP_CLAIMS}
    yield Parser("maa", maa, (json.dumps(claims).encode(),), EvidenceError)
    modulus = tpm_quotes.rsa_key().public_key().public_numbers().n.to_bytes(256)
    keys = {"keys": [{"kty": "RSA", "kid": "k", "n": part(modulus), "e": "AQAB"}]}
    yield Parser("token-keys", read_key_document, (json.dumps(keys).encode(),))


def _certificate() -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "isolate.example")])
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    end = start.replace(year=2036)
    builder = x509.CertificateBuilder(name, name, DEVICE.public_key(), 7, start, end)
    return builder.sign(DEVICE, hashes.SHA256()).public_bytes(Encoding.DER)


def _of_messages():
    envelopes = {
        "runtime.REQUEST": (runtime.REQUEST, runtime.Upload(runtime.ContentKind.DATA, 1, 300)),
        "sonora.TO_SONORA": (sonora.TO_SONORA, sonora.MintToken(bytes(32))),
        "sonora.FROM_SONORA": (sonora.FROM_SONORA, sonora.Failed("why")),
        "isolate.FROM_ZYGOTE": (isolate.FROM_ZYGOTE, isolate.SpawnFailed(1, "why")),
    }
    for name, (envelope, message) in envelopes.items():
        yield Parser(f"colima {name}", envelope.decode, (envelope.encode(message),), WireError)
    plain = (
        sinaloa.AttestRequest(bytes(32)),
        tabasco.BeginEnrolmentRequest("linux-software-root"),
        tabasco.BeginEnrolmentResponse(bytes(32), 60),
        tabasco.VerifyTokenRequest(b"token", bytes(32)),
    )
    for message in plain:
        kind = type(message)
        name = f"colima {kind.__module__.rpartition('.')[2]}.{kind.__name__}"

        def read(data: bytes, kind: type = kind) -> object:
            return colima.decode(kind, data)

        yield Parser(name, read, (colima.encode(message),), error=WireError)
    yield Parser("tls", _tls_server, (_hello(),), PeerError)


def _hello() -> bytes:
    left = tls_pair.client(tls_pair.identity("alice"))
    left.start()
    return left.data_to_send()


def _tls_server(data: bytes) -> object:
    context = tls_pair.server_context(tls_pair.identity("alice").certificate)
    return context.endpoint(now=tls_pair.NOW).receive_data(data)
