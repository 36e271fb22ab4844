"""How near two proposals are to each other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ainp.core.convergence import convergence
from ainp.core.terms import Proposal
from support.builders import vectors

SPLITS = st.integers(0, 9000).flatmap(
    lambda agent: st.sampled_from(
        (
            {"agent": agent, "pool": 10_000 - agent},
            {"agent": agent / 10_000, "broker": 1 - agent / 10_000},
        )
    )
)
PROPOSALS = st.fixed_dictionaries(
    {},
    optional={
        "price": st.floats(0, 1e12) | st.integers(0, 10**12),
        "delivery_time": st.integers(1, 2_592_000_000),
        "quality_sla": st.floats(0, 1),
        "incentive_split": SPLITS,
        "custom_terms": st.just({}),
    },
)


@pytest.mark.parametrize("vector", vectors()["convergence"], ids=str)
def test_known_answers(vector: dict[str, Proposal]) -> None:
    assert convergence(vector["previous"], vector["last"]) == pytest.approx(vector["similarity"], abs=1e-12)


@given(before=PROPOSALS, after=PROPOSALS)
def test_convergence_stays_between_zero_and_one_and_has_no_direction(before: Proposal, after: Proposal) -> None:
    found = convergence(before, after)

    assert 0 <= found <= 1
    assert found == pytest.approx(convergence(after, before))


@given(proposal=PROPOSALS.filter(lambda proposal: proposal.get("quality_sla") is not None))
def test_a_proposal_that_is_repeated_has_converged(proposal: Proposal) -> None:
    assert convergence(proposal, proposal) == pytest.approx(1)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param({}, {}, 0, id="nothing in common"),
        pytest.param({"price": 100}, {"price": None}, 0, id="null is not a number"),
        pytest.param({"price": 0}, {"price": 5}, 0, id="from nothing to something"),
        pytest.param({"quality_sla": 0.9}, {"quality_sla": 0.4}, 0.5, id="quality is compared absolutely"),
        pytest.param({"delivery_time": 1000}, {"delivery_time": 4000}, 0.25, id="time is compared relatively"),
        pytest.param(
            {"incentive_split": {"agent": 0.7, "pool": 0.3}},
            {"incentive_split": {"agent": 7000, "pool": 3000}},
            1,
            id="basis points and parts of one are the same shares",
        ),
        pytest.param(
            {"incentive_split": {"agent": 9000, "pool": 1000}},
            {"incentive_split": {"agent": 0, "pool": 10_000}},
            0.55,
            id="shares as far apart as nine tenths",
        ),
        pytest.param({"incentive_split": {}}, {"incentive_split": {"pool": 1}}, 0.75, id="no shares at all"),
    ],
)
def test_terms_that_only_one_proposal_names_do_not_count(before: Proposal, after: Proposal, expected: float) -> None:
    assert convergence(before, after) == pytest.approx(expected)
