"""What every verifier has to refuse, and which tests hold it to that.

Groups 1 to 8 are tested here for every kind of evidence. `GROUPS` says for each of them, and for
the groups that belong to one standard or platform, which tests there are besides; a test sees to it
that each of them is there.
"""

import ast
import functools
from dataclasses import replace
from pathlib import Path

import pytest

from psa_attestation.errors import AttestationError
from support.evidence_seeds import seeds
from tabasco.verify import EvidenceError
from tabasco.verify.kinds import EvidenceKind

TESTS = Path(__file__).parents[2]
SEEDS = {seed.name: seed for seed in seeds()}
QUOTES = {EvidenceKind.SGX, EvidenceKind.TDX}
CUTS = 200
PSA, NATIVE, SERVICE = "psa_attestation", "tabasco/verify", "tabasco"

GROUPS = {
    "1 empty": (NATIVE, "test_dcap", "test_nothing_is_no_quote"),
    "2 truncated at every length": (
        NATIVE, "test_dcap_vectors", "test_truncated_anywhere_it_is_refused",
        NATIVE, "test_snp_vectors", "test_truncated_anywhere_a_report_is_refused",
        NATIVE, "test_nitro", "test_it_is_refused_when_cut_anywhere_or_prolonged",
        NATIVE, "test_cca", "test_it_is_refused_when_cut_anywhere_or_prolonged",
        NATIVE, "test_quote", "test_it_is_refused_when_cut_anywhere_or_prolonged",
        PSA, "test_token", "test_no_part_of_a_token_is_a_token",
        PSA, "test_ear_jwt", "test_it_is_refused_when_cut_anywhere",
    ),
    "3 trailing bytes": (NATIVE, "test_dcap_vectors", "test_bytes_after_it_are_refused"),
    "4 single bit flips": (
        NATIVE, "test_mutation", "test_no_bit_of_authentic_evidence_can_be_changed",
        NATIVE, "test_dcap_vectors", "test_one_bit_flipped_in_signed_collateral_is_refused",
        NATIVE, "test_snp_vectors", "test_one_bit_flipped_in_an_endorsement_key_is_refused",
        NATIVE, "test_crl", "test_a_list_with_one_bit_flipped_is_refused",
        PSA, "test_token", "test_no_single_bit_of_a_token_can_be_changed",
    ),
    "5 wrong kind": (NATIVE, "test_snp_vectors", "test_evidence_of_one_kind_is_none_of_another"),
    "6 oversize": (
        NATIVE, "test_dcap", "test_more_than_the_limit_is_not_read",
        NATIVE, "test_crl", "test_a_list_too_large_is_not_read",
        SERVICE, "test_methods",
        "test_a_message_over_the_limit_is_refused_and_the_next_call_is_served",
        PSA, "test_token", "test_a_token_longer_than_the_limit_is_refused",
    ),
    "7 nesting and length bombs": (
        NATIVE, "test_dcap", "test_a_length_that_promises_too_much_is_refused",
        PSA, "test_cbor", "test_deep_nesting_costs_no_stack",
        PSA, "test_cbor", "test_a_container_with_more_entries_than_bytes_is_refused",
    ),
    "8 duplicate keys": (
        NATIVE, "test_dcap", "test_unknown_and_repeated_members_are_refused",
        NATIVE, "test_snp", "test_critical_repeated_and_missing_extensions_are_refused",
        NATIVE, "test_nitro", "test_a_repeated_key_is_refused_all_the_same",
        NATIVE, "test_cca", "test_a_repeated_claim_is_refused",
        NATIVE, "test_cca", "test_a_repeated_part_is_refused",
        NATIVE, "test_azure", "test_a_repeated_member_is_refused",
        PSA, "test_claims_codec", "test_a_nested_duplicate_key_is_refused_even_in_an_unknown_claim",
        PSA, "test_cose", "test_a_protected_header_that_can_be_read_in_two_ways_is_refused",
    ),
    "9 nonces": (
        NATIVE, "test_nitro", "test_a_document_without_a_nonce_is_refused_when_one_is_asked_for",
        NATIVE, "test_quote", "test_a_quote_without_a_nonce_is_refused_when_one_is_asked_for",
        NATIVE, "test_cca", "test_another_challenge_is_refused",
        SERVICE, "test_enrolment", "test_a_replayed_enrolment_is_refused",
        SERVICE, "test_enrolment", "test_an_expired_challenge_is_refused",
        SERVICE, "test_challenges",
        "test_what_was_made_under_another_key_or_for_another_platform_is_unknown",
    ),
    "10 tags": (PSA, "test_cose", "test_no_tag_and_a_cwt_tag_are_refused"),
    "11 algorithms and crit": (
        PSA, "test_cose", "test_one_that_is_not_protected_does_not_count",
        PSA, "test_cose", "test_only_the_keys_own_will_do",
        PSA, "test_cose", "test_a_critical_parameter_we_do_not_know_or_find_is_refused",
    ),
    "12 signatures of other forms": (
        PSA, "test_cose", "test_the_der_form_is_refused",
        PSA, "test_cose", "test_numbers_at_the_edges_are_refused",
        PSA, "test_cose", "test_its_length_is_fixed",
        PSA, "test_cose", "test_r_and_s_exchanged_are_refused",
    ),
    "13 a MAC keyed with the public key": (PSA, "test_cose", "test_the_public_key_is_no_mac_key"),
    "14 contexts": (
        PSA, "test_cose", "test_the_context_of_another_structure_is_refused",
        PSA, "test_cose", "test_external_data_has_to_agree",
    ),
    "15 another registered instance": (
        PSA, "test_token",
        "test_a_token_of_a_registered_device_signed_by_another_registered_device_is_refused",
    ),
    "16 a certificate of its own": (
        PSA, "test_token", "test_a_certificate_in_the_header_does_not_make_a_key_trusted",
    ),
    "17 claims": (
        PSA, "test_claims_codec", "test_every_mandatory_claim_has_to_be_there",
        PSA, "test_claims_codec", "test_no_claim_is_of_another_type",
        PSA, "test_claims_codec", "test_a_claim_beyond_its_limits_is_refused",
    ),
    "18 lifecycles": (PSA, "test_token", "test_all_others_are_not"),
    "19 mixed profiles": (
        PSA, "test_claims_codec", "test_a_claim_of_the_oldest_profile_in_a_newer_token_is_refused",
        PSA, "test_claims_codec", "test_a_newer_claim_in_a_token_of_the_oldest_profile_is_refused",
    ),
    "20 attestation key not bound": (
        NATIVE, "test_dcap",
        "test_an_attestation_key_that_the_quoting_enclave_did_not_make_is_refused",
        NATIVE, "test_dcap", "test_nothing_else_is_in_the_quoting_enclaves_report",
    ),
    "21 any enclave's report": (
        NATIVE, "test_dcap", "test_any_other_enclave_on_the_platform_is_refused",
    ),
    "22 revoked": (
        NATIVE, "test_dcap", "test_a_revoked_platform_is_refused",
        NATIVE, "test_dcap", "test_a_revoked_one_is_refused",
        NATIVE, "test_dcap", "test_revocation_counts_whatever_else_is_wrong",
    ),
    "23 other, edited, expired collateral": (
        NATIVE, "test_dcap", "test_a_statement_about_other_platforms_says_nothing",
        NATIVE, "test_dcap", "test_an_edited_statement_is_refused",
        NATIVE, "test_dcap", "test_a_statement_is_used_in_its_own_time_alone",
        NATIVE, "test_dcap_vectors",
        "test_statements_written_again_are_not_the_ones_that_were_signed",
        SERVICE, "test_store", "test_a_lower_number_issued_later_is_not_let_in",
    ),
    "24 lists of revoked certificates": (
        NATIVE, "test_dcap", "test_the_list_of_another_authority_says_nothing",
        NATIVE, "test_dcap", "test_lists_are_signed_and_current",
    ),
    "25 other roots and times": (
        NATIVE, "test_dcap_vectors", "test_intels_sample_root_is_not_intels_root",
        NATIVE, "test_dcap", "test_the_platforms_certificate_is_valid_at_the_time_asked_for",
    ),
    "26 standing": (
        NATIVE, "test_tcb", "test_no_level_reached_is_unsupported_and_no_policy_accepts_that",
        NATIVE, "test_tcb", "test_what_intel_says_is_reported_and_accepted_only_by_name",
        NATIVE, "test_tcb", "test_it_is_refused_unless_a_policy_names_it",
    ),
    "27 attributes": (
        NATIVE, "test_dcap", "test_a_debuggable_enclave_is_authentic_and_refused",
        NATIVE, "test_dcap", "test_a_domain_under_debug_in_any_way_is_refused",
        NATIVE, "test_dcap", "test_a_weak_domain_is_refused_unless_a_policy_names_the_weakness",
    ),
    "28 SGX and TDX": (
        NATIVE, "test_dcap", "test_statements_about_sgx_and_tdx_are_not_mixed",
        NATIVE, "test_dcap_vectors",
        "test_zeros_may_follow_where_the_caller_says_so_and_nothing_else_may",
    ),
    "29 SEV-SNP": (
        NATIVE, "test_snp", "test_a_forged_key_is_refused",
        NATIVE, "test_snp", "test_a_key_of_another_chip_is_refused",
        NATIVE, "test_snp", "test_a_key_for_other_firmware_is_refused",
        NATIVE, "test_snp", "test_the_authority_of_chips_does_not_certify_a_providers_key",
        NATIVE, "test_snp", "test_a_debuggable_guest_is_authentic_and_refused",
        NATIVE, "test_snp", "test_a_level_with_fewer_privileges_is_refused_unless_it_is_allowed",
        NATIVE, "test_snp", "test_firmware_below_the_floor_in_any_component_is_refused",
        NATIVE, "test_snp", "test_numbers_in_the_other_order_are_no_signature",
        NATIVE, "test_snp", "test_the_authorities_of_another_product_line_are_not_taken",
    ),
    "30 Nitro": (
        NATIVE, "test_nitro", "test_a_certificate_counts_to_its_last_second",
        NATIVE, "test_nitro", "test_the_root_in_the_bundle_is_compared_and_not_believed",
        NATIVE, "test_nitro", "test_a_bundle_in_another_order_is_refused",
        NATIVE, "test_nitro", "test_an_image_that_measures_zero_is_debuggable",
        NATIVE, "test_nitro", "test_only_es384_and_nothing_else_is_protected",
        NATIVE, "test_nitro", "test_a_tagged_document_is_refused",
        NATIVE, "test_nitro", "test_a_repeated_key_is_refused_all_the_same",
    ),
    "31 Arm CCA": (
        NATIVE, "test_cca", "test_a_realm_with_a_key_of_its_own_is_refused",
        NATIVE, "test_cca", "test_what_is_not_a_collection_of_both_is_refused",
        NATIVE, "test_cca", "test_the_hash_is_the_one_the_realm_names",
        NATIVE, "test_cca", "test_a_realms_key_off_its_curve_is_refused",
        PSA, "test_jwk", "test_a_key_that_is_none_is_refused",
    ),
    "32 TPM": (
        NATIVE, "test_quote", "test_what_a_tpm_signs_for_others_is_no_quote",
        NATIVE, "test_quote", "test_what_a_tpm_attests_otherwise_is_no_quote",
        NATIVE, "test_quote", "test_other_values_are_refused",
        NATIVE, "test_quote", "test_its_key_is_not_certified_by_coming_along",
        NATIVE, "test_azure", "test_hardware_that_vouches_for_something_else_is_refused",
    ),
    "33 EAR": (
        PSA, "test_ear_jwt", "test_no_algorithm_is_refused",
        PSA, "test_ear_jwt", "test_a_mac_keyed_with_the_public_key_is_refused",
        PSA, "test_ear_jwt", "test_a_key_of_the_messages_own_is_refused",
        PSA, "test_ear_jwt", "test_a_name_that_is_not_known_is_refused",
        PSA, "test_ear", "test_a_time_is_an_integer",
        PSA, "test_ear", "test_it_is_void_from_the_second_of_its_expiry",
        PSA, "test_ear", "test_it_is_void_before_its_issue",
        PSA, "test_ear", "test_the_status_is_never_better_than_the_vectors_worst",
        PSA, "test_ear", "test_what_is_out_of_bounds_is_refused",
        PSA, "test_ear", "test_other_profiles_are_refused",
        PSA, "test_ear_jwt", "test_a_repeated_member_is_refused",
    ),
    "34 service": (
        SERVICE, "test_reference_values",
        "test_a_bundle_by_nobody_we_know_is_refused_whatever_is_in_it",
        SERVICE, "test_reference_values", "test_an_old_bundle_does_not_return",
        SERVICE, "test_policies",
        "test_the_newest_policy_is_in_force_and_versions_only_grow",
        SERVICE, "test_results", "test_a_token_of_a_revoked_instance_is_refused",
        SERVICE, "test_verify", "test_a_policy_without_measurements_accepts_none",
        SERVICE, "test_enrolment",
        "test_of_two_concurrent_submissions_on_one_challenge_exactly_one_wins",
        SERVICE, "test_two_services",
        "test_of_two_services_on_one_database_one_accepts_a_challenge",
    ),
}  # fmt: skip


@functools.cache
def names_in(folder, module):
    (file,) = (TESTS / folder).rglob(f"{module}.py")
    tree = ast.parse(file.read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("group", GROUPS)
def test_the_tests_of_every_group_are_there(group):
    named = [iter(GROUPS[group])] * 3
    for folder, module, name in zip(*named, strict=True):
        assert name in names_in(folder, module), f"{folder}/{module}.py has no {name}"


def test_no_group_is_left_out():
    assert [int(group.split()[0]) for group in GROUPS] == list(range(1, 35))


def refuses(seed, data):
    with pytest.raises((EvidenceError, AttestationError)):
        seed.verify(data)


@pytest.mark.parametrize("name", SEEDS)
class TestEveryKind:
    def test_nothing_is_refused(self, name):
        refuses(SEEDS[name], b"")

    def test_a_part_is_refused(self, name):
        seed = SEEDS[name]
        size = len(seed.data.rstrip(b"\0")) if seed.kind in QUOTES else len(seed.data)
        for length in {*range(1, size, size // CUTS + 1), *range(size - 8, size)}:
            # A text may end in white space.
            if not seed.text or seed.data[length:].strip():
                refuses(seed, seed.data[:length])

    @pytest.mark.parametrize("more", [b"\1", b"\xff" * 64, b"x"])
    def test_bytes_that_follow_are_refused(self, name, more):
        refuses(SEEDS[name], SEEDS[name].data + more)

    def test_evidence_twice_is_refused(self, name):
        refuses(SEEDS[name], SEEDS[name].data * 2)

    def test_more_than_is_read_is_refused(self, name):
        refuses(SEEDS[name], SEEDS[name].data + bytes(2 << 20))
        refuses(SEEDS[name], SEEDS[name].data[:1] * (2 << 20))

    @pytest.mark.parametrize(
        "bomb",
        [
            b"\x81" * 100_000,
            b"\x84" + b"\x9b\xff" + b"\xff" * 7,
            b"\xd2\x84\x5b" + b"\x7f" + b"\xff" * 7,
            b"\xbf" * 50_000,
            b"\xd9\x01\x8f" * 30_000,
            b"[" * 100_000,
            b'{"a":' * 30_000,
            b'{"version":' + b"9" * 100_000 + b"}",
            (b"eyJ" + b"W" * 100_000) + b".e30.e30",
        ],
        ids=["arrays", "array", "string", "maps", "tags", "json", "objects", "number", "header"],
    )
    def test_bombs_are_refused(self, name, bomb):
        refuses(SEEDS[name], bomb)

    def test_evidence_of_another_kind_is_refused(self, name):
        seed = SEEDS[name]
        for kind in EvidenceKind:
            if kind is not seed.kind:
                refuses(replace(seed, kind=kind), None)
        for other in SEEDS.values():
            if other.kind is not seed.kind:
                refuses(seed, other.data)
