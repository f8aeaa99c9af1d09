import base64

import pytest

from support.cloud_evidence import MAA_CLAIMS, NOW, SNP_CLAIMS, rs256
from support.nitro_documents import MADE
from support.refused_evidence import refused
from support.tpm_quotes import other_rsa_key, rsa_key
from tabasco.appraisal.checks import Acceptance, appraise
from tabasco.verify import Fault, VerificationStage
from tabasco.verify.detection import kind_of
from tabasco.verify.kinds import EvidenceKind
from tabasco.verify.microsoft.maa import verify_maa

KEYS = {"the key": rsa_key().public_key()}
RUNTIME = {"client-payload": {"nonce": base64.b64encode(b"challenge").decode()}}


def verify(claims=MAA_CLAIMS, *, token=None, **changes):
    token = rs256(claims) if token is None else token
    return verify_maa(token, **{"at": MADE, "keys": KEYS} | changes)


class TestProven:
    def test_a_token_about_an_enclave(self):
        assert kind_of(rs256(MAA_CLAIMS)) is EvidenceKind.MAA
        proven = verify()
        assert proven.measurements == {"mrenclave": b"\xab" * 32, "mrsigner": b"\xcd" * 32}
        assert proven.report_data == b"\xef" * 64
        assert proven.facts["issuer"] == "https://sharedxyz.xyz.attest.azure.net"
        assert proven.facts["x-ms-policy-hash"] == "a hash"
        appraise(proven, Acceptance(report_data=b"\xef" * 64))

    def test_a_token_about_a_machine_on_a_paravisor(self):
        claims = MAA_CLAIMS | {
            "x-ms-attestation-type": "azurevm",
            "x-ms-isolation-tee": SNP_CLAIMS,
            "x-ms-runtime": RUNTIME,
            "secureboot": True,
        }
        proven = verify(claims, nonce=b"challenge")
        assert proven.measurements["measurement"] == b"\x11" * 48
        assert proven.report_data == b"\x33" * 64
        assert proven.facts["hardware"] == "sevsnpvm"
        assert proven.facts["secureboot"] == "true"
        assert proven.facts["isolation.x-ms-compliance-status"] == "azure-compliant-cvm"
        appraise(proven, Acceptance())

    def test_a_machine_without_protection_by_hardware_is_a_concern(self):
        proven = verify(MAA_CLAIMS | {"x-ms-attestation-type": "azurevm"})
        assert proven.measurements == {}
        with refused(Fault.ATTRIBUTES, VerificationStage.APPRAISAL):
            appraise(proven, Acceptance())

    @pytest.mark.parametrize("said", [True, None, "false", 0])
    def test_what_is_not_said_to_be_closed_to_debuggers_is_open(self, said):
        claims = {k: v for k, v in MAA_CLAIMS.items() if k != "x-ms-sgx-is-debuggable"}
        claims |= {} if said is None else {"x-ms-sgx-is-debuggable": said}
        with refused(Fault.DEBUG, VerificationStage.APPRAISAL):
            appraise(verify(claims), Acceptance())

    def test_a_nonce_is_compared_as_bytes_as_it_stands_or_out_of_base64(self):
        assert verify(nonce=b"a nonce")
        for nonce in (b"", b"A nonce", b"a nonce\xff"):
            with refused(Fault.NONCE, VerificationStage.BINDING):
                verify(nonce=nonce)
        with refused(Fault.NONCE, match="none"):
            verify({k: v for k, v in MAA_CLAIMS.items() if k != "nonce"}, nonce=b"a nonce")


class TestRefused:
    def test_a_key_is_taken_from_the_set_by_its_id_and_never_fetched(self):
        with refused(Fault.UNKNOWN_SIGNER, VerificationStage.SIGNATURE, match="another"):
            verify(token=rs256(MAA_CLAIMS, kid="another"))
        with refused(Fault.COLLATERAL_MISSING, VerificationStage.COLLATERAL):
            verify(keys={})
        assert verify(token=rs256(MAA_CLAIMS, jku="https://sharedxyz.xyz.attest.azure.net/certs"))
        with refused(Fault.SIGNATURE, VerificationStage.SIGNATURE):
            verify(token=rs256(MAA_CLAIMS, key=other_rsa_key()))

    @pytest.mark.parametrize(
        "header", [{"alg": "none"}, {"alg": "HS256"}, {"alg": None}, {"jwk": {}}, {"crit": []}]
    )
    def test_another_header_is_refused(self, header):
        with refused(Fault.UNSUPPORTED_ALGORITHM, VerificationStage.FORMAT):
            verify(token=rs256(MAA_CLAIMS, **header))

    def test_an_algorithm_that_the_key_is_not_for_is_refused(self):
        with refused(Fault.UNSUPPORTED_ALGORITHM, VerificationStage.SIGNATURE):
            verify(token=rs256(MAA_CLAIMS, alg="ES256"))
        with refused(Fault.SIGNATURE, VerificationStage.SIGNATURE):
            verify(token=rs256(MAA_CLAIMS, alg="PS256"))

    @pytest.mark.parametrize(
        ("changes", "fault"),
        [
            ({"iss": "https://attest.azure.net.example"}, Fault.REPORT_DATA),
            ({"iss": "https://a.eus.attest.azure.net/more"}, Fault.REPORT_DATA),
            ({"iss": None}, Fault.REPORT_DATA),
            ({"exp": NOW}, Fault.EXPIRED),
            ({"nbf": NOW + 1}, Fault.NOT_YET_VALID),
            ({"exp": 1.5}, Fault.MALFORMED),
            ({"x-ms-attestation-type": 1}, Fault.MALFORMED),
            ({"x-ms-isolation-tee": []}, Fault.MALFORMED),
            ({"x-ms-sgx-mrenclave": "xy"}, Fault.MALFORMED),
            ({"x-ms-sgx-report-data": 1}, Fault.MALFORMED),
        ],
    )
    def test_claims_out_of_bounds_are_refused(self, changes, fault):
        with refused(fault):
            verify(MAA_CLAIMS | changes)

    def test_hardware_without_a_measurement_is_refused(self):
        with refused(Fault.MALFORMED, match="no measurement"):
            verify(MAA_CLAIMS | {"x-ms-attestation-type": "tdxvm"})
