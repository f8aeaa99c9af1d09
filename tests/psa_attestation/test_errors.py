import pickle

from psa_attestation.errors import AttestationError, ErrorCode, Stage
from veracruz_utils.errors import RefusedError


def test_an_error_is_a_refusal_with_its_exit_code():
    error = AttestationError(ErrorCode.NONCE_MISMATCH, Stage.FRESHNESS, "the token is old")
    assert isinstance(error, RefusedError)
    assert error.exit_code == 3
    assert str(error) == "the token is old [nonce-mismatch]"


def test_an_error_crosses_a_process_boundary():
    error = AttestationError(ErrorCode.SIGNATURE, Stage.SIGNATURE, "detail")
    again = pickle.loads(pickle.dumps(error))
    assert (again.code, again.stage, again.detail) == (error.code, error.stage, error.detail)


def test_codes_are_written_alike():
    for code in ErrorCode:
        assert code.value == code.name.lower().replace("_", "-")
