"""Buckets: how much they let through, when they let through again, and what they say about it."""

from hypothesis import given
from hypothesis import strategies as st

from ainp.core.rate import SECOND_US, Limit, Taken, take

LIMIT = Limit(amount=6, window_us=60 * SECOND_US, burst=3)  # one comes back every ten seconds
limits = st.builds(Limit, st.integers(1, 1000), st.integers(1, 10**9), st.integers(1, 500))
pauses = st.lists(st.integers(0, 10**7), min_size=1, max_size=60)


def test_a_burst_is_let_through_and_the_next_waits_for_one_to_come_back() -> None:
    answers, arrival = [], 0
    for _ in range(4):
        taken, arrival = take(LIMIT, arrival_us=arrival, now_us=SECOND_US)
        answers.append((taken.allowed, taken.remaining, taken.reset_us // SECOND_US, taken.wait_us // SECOND_US))

    assert answers == [(True, 2, 10, 0), (True, 1, 20, 0), (True, 0, 30, 0), (False, 0, 30, 10)]


def test_a_bucket_of_another_limit_or_clock_counts_as_empty_and_no_worse() -> None:
    taken, arrival = take(LIMIT, arrival_us=10**15, now_us=0)

    assert taken == Taken(LIMIT, 10 * SECOND_US, 30 * SECOND_US)
    assert arrival == 30 * SECOND_US


@given(limits, pauses)
def test_what_is_given_back_was_never_taken_and_no_more_comes_back(limit: Limit, waits: list[int]) -> None:
    now, arrival = 10**15, 0
    for wait in waits:
        now += wait
        before = max(arrival, now)
        taken, after = take(limit, arrival_us=arrival, now_us=now)
        _, back = take(limit, arrival_us=after, now_us=now, cost=-1)
        assert back == (before if taken.allowed else max(now, after - limit.interval_us))
        assert take(limit, arrival_us=0, now_us=now, cost=-1)[1] == now
        arrival = after


@given(limits, pauses)
def test_no_window_lets_more_through_than_the_burst_and_what_came_back(limit: Limit, waits: list[int]) -> None:
    now, arrival, let_through = 10**15, 0, []
    for wait in waits:
        now += wait
        taken, arrival = take(limit, arrival_us=arrival, now_us=now)
        let_through += [now] if taken.allowed else []

    for first, begin in enumerate(let_through):
        for last in range(first, len(let_through)):
            came_back = (let_through[last] - begin) * limit.amount / limit.window_us
            assert last - first + 1 <= limit.burst + came_back


@given(limits, pauses, st.data())
def test_who_waits_as_told_is_let_through_and_nobody_earlier(
    limit: Limit, waits: list[int], data: st.DataObject
) -> None:
    now, arrival = 10**15, 0
    for wait in waits:
        now += wait
        _, arrival = take(limit, arrival_us=arrival, now_us=now)
    cost = data.draw(st.integers(1, limit.burst))
    now += 1
    refused, arrival = take(limit, arrival_us=arrival, now_us=now, cost=cost)
    if refused.allowed:
        return

    at = now + refused.wait_us
    assert not take(limit, arrival_us=arrival, now_us=at - 1, cost=cost)[0].allowed
    assert take(limit, arrival_us=arrival, now_us=at, cost=cost)[0].allowed


@given(limits, pauses)
def test_what_remains_is_what_is_let_through_at_once_and_after_the_reset_all_is(limit: Limit, waits: list[int]) -> None:
    now, arrival, taken = 10**15, 0, Taken(limit, 0, 0)
    for wait in waits:
        now += wait
        taken, arrival = take(limit, arrival_us=arrival, now_us=now)

    if taken.remaining:
        assert take(limit, arrival_us=arrival, now_us=now, cost=taken.remaining)[0].allowed
    if taken.remaining < limit.burst:
        assert not take(limit, arrival_us=arrival, now_us=now, cost=taken.remaining + 1)[0].allowed
    full, _ = take(limit, arrival_us=arrival, now_us=now + taken.reset_us, cost=limit.burst)
    assert full.allowed
