"""Buckets of one node: bounded, shared by processes, and not to be escaped."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ainp.adapters.rate_limits import KEPT, LocalBuckets, make_table
from ainp.core.rate import SECOND_US, Limit, take

LIMIT = Limit(amount=5, window_us=60 * SECOND_US, burst=5)
NOW = 10**12


@pytest.fixture
def table(tmp_path: Path) -> Path:
    make_table(tmp_path / "buckets")
    return tmp_path / "buckets"


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 20 * SECOND_US)), max_size=40))
def test_a_table_decides_as_the_rule_does(calls: list[tuple[str, int]]) -> None:
    buckets, arrivals, now = LocalBuckets(), dict.fromkeys("abc", 0), NOW
    for name, wait in calls:
        now += wait
        expected, arrivals[name] = take(LIMIT, arrival_us=arrivals[name], now_us=now)

        assert buckets.take_now(name, LIMIT, now_us=now) == expected


def test_who_is_refused_stays_so_though_as_many_others_come_as_a_table_holds() -> None:
    buckets = LocalBuckets()
    while buckets.take_now("me", LIMIT, now_us=NOW).allowed:
        pass

    for number in range(KEPT):
        buckets.take_now(f"invented {number}", LIMIT, now_us=NOW)

    assert not buckets.take_now("me", LIMIT, now_us=NOW).allowed


def test_who_maps_a_table_sees_what_others_took(table: Path) -> None:
    one, other = LocalBuckets(table), LocalBuckets(table)

    seen = [buckets.take_now("me", LIMIT, now_us=NOW).remaining for buckets in (one, other, one, other)]

    assert seen == [4, 3, 2, 1]
    one.close()
    other.close()


_TAKER = """
import sys
from pathlib import Path
from ainp.adapters.rate_limits import LocalBuckets
from ainp.core.rate import Limit
buckets = LocalBuckets(Path(sys.argv[1]))
print(flush=True)
sys.stdin.readline()
limit = Limit(1, 10**12, 2000)
print(sum(buckets.take_now("all", limit, now_us=10**12).allowed for _ in range(1500)))
"""


def test_several_processes_at_once_do_not_get_several_times_the_limit(table: Path) -> None:
    def taker() -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-c", _TAKER, str(table)]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    takers = [taker() for _ in range(3)]
    for process in takers:
        assert process.stdout
        process.stdout.readline()
    for process in takers:
        assert process.stdin
        process.stdin.write(b"\n")
        process.stdin.flush()
    let_through = sum(int(process.communicate()[0]) for process in takers)

    assert 2000 <= let_through <= 2020  # a try at a lock is bounded


_HOLDER = """
import fcntl, os, sys
descriptor = os.open(sys.argv[1], os.O_RDWR)
fcntl.lockf(descriptor, fcntl.LOCK_EX)
print(flush=True)
sys.stdin.readline()
"""


def test_a_process_that_stops_with_a_lock_stops_nobody_and_a_killed_one_gives_it_back(table: Path) -> None:
    buckets = LocalBuckets(table)
    with subprocess.Popen(
        [sys.executable, "-c", _HOLDER, table], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout
        holder.stdout.readline()
        assert not buckets._lock(4096)
        assert buckets.take_now("me", LIMIT, now_us=NOW).allowed
        os.kill(holder.pid, signal.SIGKILL)

    assert buckets._lock(4096)
    buckets.close()
