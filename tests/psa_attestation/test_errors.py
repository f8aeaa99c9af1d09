import pickle

import psa_attestation
from psa_attestation import AttestationError, Code, Stage
from veracruz_utils.errors import RefusedError


def test_an_error_is_a_refusal_with_its_exit_code():
    error = AttestationError(Code.NONCE_MISMATCH, Stage.FRESHNESS, "the token is old")
    assert isinstance(error, RefusedError)
    assert error.exit_code == 3
    assert str(error) == "the token is old [nonce-mismatch]"


def test_an_error_crosses_a_process_boundary():
    error = AttestationError(Code.SIGNATURE, Stage.SIGNATURE, "detail")
    again = pickle.loads(pickle.dumps(error))
    assert (again.code, again.stage, again.detail) == (error.code, error.stage, error.detail)


def test_codes_are_written_alike():
    for code in Code:
        assert code.value == code.name.lower().replace("_", "-")


def test_every_public_name_is_listed_once():
    names = psa_attestation.__all__
    assert len(names) == len(set(names))
    public = {
        name
        for name, value in vars(psa_attestation).items()
        if not name.startswith("_") and type(value).__name__ != "module"
    }
    assert public == set(names)
