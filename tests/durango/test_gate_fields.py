"""For every field that keeps a wrong isolate out: which tests lie about it, and are refused.

The tests of the gate sign with an attester's and a Tabasco's own keys; those of `system` ask a real
bridge, a real Sonora and a real Tabasco.
"""

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
GATE, SYSTEM = "durango/test_gate.py", "system/test_attestation.py"

FIELDS = {
    "challenge": {
        GATE: "test_a_token_over_another_challenge_is_refused_as_a_replay",
        SYSTEM: "test_a_token_that_answered_another_challenge_is_refused",
    },
    "challenge of the result": {
        GATE: "test_a_result_for_another_challenge_is_refused_as_a_replay",
        SYSTEM: "test_an_old_token_with_its_old_result_answers_no_challenge_of_today",
    },
    "platform": {
        GATE: "test_the_software_root_does_not_pass_for_hardware",
        SYSTEM: "test_the_software_root_is_refused_by_name_where_the_policy_asks_for_hardware",
    },
    "measurement": {
        GATE: "test_a_measurement_the_policy_does_not_name_is_refused",
        SYSTEM: "test_a_runtime_that_the_policy_does_not_name_is_refused_and_announced",
    },
    "policy digest": {
        GATE: "test_a_policy_that_differs_by_one_byte_is_refused",
        SYSTEM: "test_the_token_of_an_isolate_with_another_policy_is_refused",
    },
    "certificate digest": {
        GATE: "test_a_token_without_a_certificate_is_refused",
        SYSTEM: "test_the_token_of_another_isolate_of_the_policy_leads_to_no_session",
    },
    "debug and lifecycle": {
        GATE: "test_an_isolate_that_is_not_secured_is_refused_even_under_a_debug_policy",
    },
    "isolation": {
        GATE: "test_an_isolate_that_lacks_a_layer_the_policy_asks_for_is_refused",
        SYSTEM: "test_an_isolate_without_a_layer_that_the_policy_asks_for_is_refused",
    },
    "expiry": {
        GATE: "test_an_expired_result_is_refused",
        SYSTEM: "test_an_attestation_is_good_until_its_result_expires",
    },
    "revocation": {SYSTEM: "test_a_revoked_instance_is_not_vouched_for_any_more"},
    "unknown key": {SYSTEM: "test_a_token_by_a_key_that_is_not_enrolled_is_refused"},
    "wrong Tabasco key": {
        GATE: "test_a_result_signed_by_another_key_is_refused",
        SYSTEM: "test_a_result_signed_by_another_key_than_the_pinned_one_is_refused",
    },
    "status": {GATE: "test_a_result_that_does_not_affirm_is_refused"},
    "subject": {GATE: "test_a_result_on_another_token_is_refused"},
}


@pytest.mark.parametrize("field", FIELDS)
def test_the_tests_of_a_field_are_there(field):
    for file, test in FIELDS[field].items():
        tree = ast.parse((TESTS / file).read_text())
        assert test in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
