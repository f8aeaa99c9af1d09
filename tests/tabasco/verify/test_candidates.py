"""Which of several keys is tried: until one has signed, and none that was given for another."""

import json
from base64 import urlsafe_b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from psa_attestation.errors import AttestationError, ErrorCode, Stage
from tabasco.verify.candidates import KeyNaming, names_key, with_each_key
from tabasco.verify.errors import EvidenceError, Fault, VerificationStage
from tabasco.verify.means import CandidateKey, Means

ONE, TWO, NAMED, OTHER = (ec.generate_private_key(ec.SECP256R1()).public_key() for _ in range(4))
MEANS = Means(
    keys={"instance": OTHER},
    candidates=(CandidateKey(ONE), CandidateKey(NAMED, "its name"), CandidateKey(TWO)),
)
NOT_ITS_KEY = [
    (EvidenceError, Fault.SIGNATURE, VerificationStage.SIGNATURE),
    (AttestationError, ErrorCode.SIGNATURE, Stage.SIGNATURE),
    (AttestationError, ErrorCode.CERTIFICATE, Stage.KEY),
    (AttestationError, ErrorCode.ALG_KEY_MISMATCH, Stage.ENVELOPE),
]


class Verifier:
    """Takes the key that signed; with any other it ends by an error."""

    def __init__(self, signer=None, error=NOT_ITS_KEY[0]) -> None:
        self.tried: list[Means] = []
        self._signer = signer
        self._error = error

    def __call__(self, means: Means) -> str:
        self.tried.append(means)
        if self._signer is not None and means.keys.get("*") is self._signer:
            return "verified"
        kind, code, stage = self._error
        raise kind(code, stage, "not this one" if len(self.tried) == 1 else "nor this one")

    @property
    def keys(self):
        return [each.keys.get("*") for each in self.tried]


@pytest.mark.parametrize("error", NOT_ITS_KEY)
@pytest.mark.parametrize(("signer", "tries"), [(ONE, 1), (NAMED, 2), (TWO, 3), (OTHER, 4)])
def test_keys_are_tried_until_one_has_signed(error, signer, tries):
    verifier = Verifier(signer, error)
    assert with_each_key(MEANS, KeyNaming.NOTHING, verifier) == "verified"
    assert verifier.keys == [ONE, NAMED, TWO, OTHER][:tries]
    for each in verifier.tried:
        assert each.keys["instance"] is OTHER
        assert each.candidates == ()


@pytest.mark.parametrize(
    ("naming", "tried"),
    [
        (KeyNaming.NOTHING, [ONE, NAMED, TWO, OTHER]),
        (KeyNaming.INSTANCE, [ONE, NAMED, TWO]),
        (KeyNaming.KID, [ONE, TWO]),
        (KeyNaming.ITSELF, [None]),
    ],
)
def test_a_key_that_is_given_for_something_counts_for_nothing_else(naming, tried):
    verifier = Verifier()
    with pytest.raises(EvidenceError):
        with_each_key(MEANS, naming, verifier)
    assert verifier.keys == tried
    if naming is KeyNaming.ITSELF:
        assert verifier.tried == [MEANS]


def test_no_key_is_tried_twice():
    means = Means(keys={"*": ONE, "more": TWO}, candidates=(CandidateKey(ONE),))
    verifier = Verifier()
    with pytest.raises(EvidenceError):
        with_each_key(means, KeyNaming.NOTHING, verifier)
    assert verifier.keys == [ONE, TWO]


@pytest.mark.parametrize("naming", [KeyNaming.NOTHING, KeyNaming.INSTANCE, KeyNaming.KID])
def test_without_any_key_the_verifier_says_so_itself(naming):
    verifier = Verifier()
    with pytest.raises(EvidenceError) as caught:
        with_each_key(Means(), naming, verifier)
    assert verifier.tried == [Means()]
    assert caught.value.detail == "not this one"


@pytest.mark.parametrize("error", NOT_ITS_KEY)
def test_where_no_key_has_signed_the_first_error_is_told_and_how_many_were_tried(error):
    verifier = Verifier(error=error)
    with pytest.raises(error[0]) as caught:
        with_each_key(MEANS, KeyNaming.INSTANCE, verifier)
    told = "not this one; nor is it signed by any other of the 3 keys given"
    assert caught.value.detail == told


def test_of_two_keys_it_is_told_that_there_was_another():
    means = Means(candidates=(CandidateKey(ONE), CandidateKey(TWO)))
    with pytest.raises(EvidenceError) as caught:
        with_each_key(means, KeyNaming.NOTHING, Verifier())
    assert caught.value.detail.endswith("signed by any other of the 2 keys given")


def test_of_one_key_it_is_not_told_that_there_were_others():
    with pytest.raises(EvidenceError) as caught:
        with_each_key(Means(candidates=(CandidateKey(ONE),)), KeyNaming.NOTHING, Verifier())
    assert caught.value.detail == "not this one"


@pytest.mark.parametrize(
    "error",
    [
        (EvidenceError, Fault.NONCE, VerificationStage.BINDING),
        (EvidenceError, Fault.MALFORMED, VerificationStage.FORMAT),
        (AttestationError, ErrorCode.CLAIM_VALUE, Stage.CLAIMS),
    ],
)
def test_what_is_refused_with_the_key_that_signed_is_tried_with_no_other(error):
    verifier = Verifier(error=error)
    with pytest.raises(error[0]) as caught:
        with_each_key(MEANS, KeyNaming.NOTHING, verifier)
    assert verifier.keys == [ONE]
    assert caught.value.detail == "not this one"


def jwt(header) -> bytes:
    encoded = urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=")
    return encoded + b".e30.c2ln"


@pytest.mark.parametrize(
    ("data", "names"),
    [
        (jwt({"alg": "ES256", "kid": "a"}), True),
        (b"\n" + jwt({"alg": "ES256", "kid": ""}) + b"\n", True),
        (jwt({"alg": "ES256"}), False),
        (jwt({"alg": "ES256", "kid": 1}), False),
        (jwt([]), False),
        (b"", False),
        (b"\xd2\x84\x43\xa1", False),
        (b"\xff.\xff.\xff", False),
    ],
)
def test_a_token_that_names_its_key_is_told_from_others(data, names):
    assert names_key(data) == names
