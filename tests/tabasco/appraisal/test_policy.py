"""What policies ask: rules that would ask nothing are none, or are warned of."""

import pytest

from tabasco.appraisal.policy import AppraisalPolicy
from tabasco.errors import TabascoError


def parse(text):
    return AppraisalPolicy.parse(f"version = 1\n{text}\n".encode())


@pytest.mark.parametrize("rule", ["", "required = []"])
def test_a_rule_of_events_that_holds_of_every_log_is_none(rule):
    with pytest.raises(TabascoError, match="without sequence, allowed or required"):
        parse(f"[tpm.events.pcr4]\n{rule}")


def test_that_nothing_was_extended_can_be_asked():
    rule = parse("[tpm.events.pcr4]\nallowed = []\nrequired = []").kinds["tpm"].events["pcr4"]
    assert rule.fault([]) is None


@pytest.mark.parametrize("kind", ["sev-snp", "nitro", "tpm", "composite", "nvidia"])
def test_statuses_of_what_has_none_are_warned_of(kind):
    (warning,) = parse(f'[{kind}]\ntcb_statuses = ["OutOfDate"]').warnings()
    assert f"evidence of {kind} has no TCB status" in warning


@pytest.mark.parametrize("kind", ["sgx", "tdx", "tpm-azure"])
def test_statuses_of_what_has_them_are_not(kind):
    assert not list(parse(f'[{kind}]\ntcb_statuses = ["OutOfDate"]').warnings())
