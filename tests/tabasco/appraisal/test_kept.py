"""What evidence proved is kept whole: a later policy decides on it as one of today would."""

import dataclasses
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.evidence_seeds import seeds
from tabasco.appraisal.kept import MAX_KEPT_BYTES, keep, kept
from tabasco.verify.errors import Fault
from tabasco.verify.kinds import EvidenceKind
from tabasco.verify.named import Named, Subject
from tabasco.verify.proven import Concern, HexNumber, Proven, ProvenEvent, TcbStatus

SEEDS = {each.name: each for each in seeds()}
TEXT = st.text(max_size=20)
FACTS = st.dictionaries(
    TEXT, TEXT | st.integers() | st.integers(0, 2**70).map(lambda n: HexNumber(n, digits=4))
)
SIMPLE = st.builds(
    Proven,
    kind=st.sampled_from(EvidenceKind),
    measurements=st.dictionaries(TEXT, st.binary(max_size=64)),
    report_data=st.binary(max_size=64),
    debug=st.none() | st.booleans(),
    valid_until=st.datetimes(datetime(2000, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    tcb_status=st.none() | st.sampled_from(TcbStatus),
    advisories=st.lists(TEXT, max_size=3).map(tuple),
    facts=FACTS,
    warnings=st.lists(TEXT, max_size=2).map(tuple),
    concerns=st.lists(st.builds(Concern, TEXT, st.sampled_from(Fault), TEXT), max_size=2).map(
        tuple
    ),
    named=st.lists(
        st.builds(Named, st.sampled_from(Subject), TEXT, st.binary(max_size=64)), max_size=3
    ).map(tuple),
    parts=st.just({}),
    events=st.none()
    | st.dictionaries(
        TEXT,
        st.lists(
            st.builds(ProvenEvent, st.integers(0, 2**20), TEXT, st.binary(max_size=64)), max_size=3
        ).map(tuple),
        max_size=2,
    ),
)


def shown(proven):
    """How facts look to a policy, which compares texts, and numbers as such."""
    return {name: (str(value), isinstance(value, int)) for name, value in proven.facts.items()}


@pytest.mark.parametrize("name", SEEDS)
def test_what_real_evidence_proves_is_kept_to_the_letter(name):
    proven = SEEDS[name].verify()
    data = keep(proven)
    found = kept(data)
    assert found == proven
    assert shown(found) == shown(proven)
    assert [shown(each) for each in found.parts.values()] == [
        shown(each) for each in proven.parts.values()
    ]
    assert len(data) < MAX_KEPT_BYTES


@given(SIMPLE, st.dictionaries(TEXT, SIMPLE, max_size=2))
def test_whatever_may_be_proven_is_kept(whole, parts):
    proven = dataclasses.replace(whole, parts=parts)
    assert kept(keep(proven)) == proven
    assert shown(kept(keep(proven))) == shown(proven)
