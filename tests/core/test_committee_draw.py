"""
The draw, repeated by a second implementation that was written from the decisions' text.

"Parties removed first; seat i is drawn by SHA-256(seed || uint32 i) as an integer modulo the remaining weight, walked
over the running sums without the seats taken; exactly one hash per seat; seats = min(m, eligible)"; at most one member
per operator.
"""

import hashlib
import struct
from collections import Counter
from collections.abc import Iterable, Iterator
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ainp.core.committee import DRAWS, DrawPolicy, Epoch, Nominee, build_epoch, draw, draw_top
from ainp.core.did import AgentDid
from support.builders import CLIENT, NOW, WORKER, agents, an_epoch

Row = tuple[str, int]
Drawn = tuple[str, ...]
DOMAINS = ("one.example", "two.example", "three.example")
PATHS = ("", ":a", ":b", "%3A8443:c")
POPULATION = [*agents(8), *(f"did:web:{domain}{path}" for domain in DOMAINS for path in PATHS)]
WEIGHTS = st.integers(1, 60) | st.integers(1, 10**9)
LINES = st.dictionaries(st.sampled_from(POPULATION), WEIGHTS).map(lambda line: list(line.items()))
PARTIES = st.lists(st.sampled_from([*POPULATION, CLIENT, WORKER]), max_size=2).map(lambda ds: [*map(AgentDid, ds)])
SEEDS = st.binary(min_size=32, max_size=32)
POLICIES = pytest.mark.parametrize("policy", DrawPolicy)


def who_runs(did: str) -> str:
    """The domain of a did:web without its port, or the DID."""
    method, rest = did.split(":", 2)[1:]
    return rest.split(":")[0].split("%3A")[0] if method == "web" else did


def without(line: Iterable[Row], *dids: str) -> list[Row]:
    return [row for row in line if who_runs(row[0]) not in {who_runs(did) for did in dids}]


def repeated(line: Iterable[Row], seed: bytes, seats: int, parties: Iterable[str]) -> Drawn:
    """Draw again, slowly: an explicit list that gets shorter."""
    remaining = without(sorted(line), *parties)
    members: list[str] = []
    while remaining and len(members) < seats:
        digest = hashlib.sha256(seed + struct.pack(">I", len(members))).hexdigest()
        number = int(digest, 16) % sum(weight for _, weight in remaining)
        for did, weight in remaining:
            if number < weight:
                members.append(did)
                break
            number -= weight
        remaining = without(remaining, members[-1])
    return tuple(members)


def the_heaviest(line: Iterable[Row], seed: bytes, seats: int, parties: Iterable[str]) -> Drawn:
    """Take the top again: one after the other, the heaviest that is left."""
    remaining = without(line, *parties)
    members: list[str] = []
    while remaining and len(members) < seats:
        members.append(min(remaining, key=lambda row: (-row[1], hashlib.sha256(seed + row[0].encode()).hexdigest()))[0])
        remaining = without(remaining, members[-1])
    return tuple(members)


def chances(line: Iterable[Row], seats: int) -> dict[Drawn, Fraction]:
    """Every ordered committee of *line* and its exact probability."""
    remaining = sorted(line)
    if not remaining or seats == 0:
        return {(): Fraction(1)}
    total = sum(weight for _, weight in remaining)
    return {
        (did, *rest): Fraction(weight, total) * chance
        for did, weight in remaining
        for rest, chance in chances(without(remaining, did), seats - 1).items()
    }


def seeds(count: int) -> Iterator[bytes]:
    """The same *count* seeds in every run."""
    return (hashlib.sha256(b"draw %d" % number).digest() for number in range(count))


def critical(freedom: int) -> float:
    """What chi-square exceeds once in a thousand times (Wilson and Hilferty's approximation)."""
    return float(freedom * (1 - 2 / (9 * freedom) + 3.0902 * (2 / (9 * freedom)) ** 0.5) ** 3)


def epoch_of(line: Iterable[Row]) -> Epoch:
    dids, weights = zip(*line, strict=True) if (line := list(line)) else ((), ())
    return an_epoch(dids, weights)


@given(line=LINES, seed=SEEDS, seats=st.integers(0, 12), parties=PARTIES)
def test_anyone_can_repeat_a_draw(line: list[Row], seed: bytes, seats: int, parties: list[AgentDid]) -> None:
    assert draw(epoch_of(line), seed=seed, seats=seats, parties=parties) == repeated(line, seed, seats, parties)


@given(line=LINES, seed=SEEDS, seats=st.integers(0, 12), parties=PARTIES)
def test_the_top_is_the_heaviest_and_ties_go_by_the_hash_of_seed_and_did(
    line: list[Row], seed: bytes, seats: int, parties: list[AgentDid]
) -> None:
    level = [(did, weight % 3 + 1) for did, weight in line]

    found = draw_top(epoch_of(level), seed=seed, seats=seats, parties=parties)

    assert found == the_heaviest(level, seed, seats, parties)


@POLICIES
@given(line=LINES, seed=SEEDS, seats=st.integers(0, 12), parties=PARTIES)
def test_the_first_seats_of_a_longer_draw_are_the_shorter_draw(
    policy: DrawPolicy, line: list[Row], seed: bytes, seats: int, parties: list[AgentDid]
) -> None:
    epoch = epoch_of(line)

    longest = DRAWS[policy](epoch, seed=seed, seats=100, parties=parties)

    assert DRAWS[policy](epoch, seed=seed, seats=seats, parties=parties) == longest[:seats]


@POLICIES
@given(line=LINES, seed=SEEDS, parties=PARTIES)
def test_every_operator_is_seated_once_except_those_of_the_parties(
    policy: DrawPolicy, line: list[Row], seed: bytes, parties: list[AgentDid]
) -> None:
    epoch = epoch_of(line)

    members = DRAWS[policy](epoch, seed=seed, seats=100, parties=parties)

    operators = [who_runs(member) for member in members]
    assert len(set(operators)) == len(operators) == epoch.eligible(parties)
    assert set(operators) == {who_runs(did) for did, _ in line} - {who_runs(party) for party in parties}


def test_one_draw_by_hand() -> None:
    line = [("did:key:a", 5), ("did:key:b", 1), ("did:key:c", 4)]

    members = draw(epoch_of(line), seed=bytes(32), seats=3, parties=())

    # (head -c 35 /dev/zero; printf '\x00') | sha256sum is 6db65fd5…8a0e, modulo 10 it is 2: within a's 5.
    # (head -c 35 /dev/zero; printf '\x01') | sha256sum is 2158a890…a4bb, modulo 5 it is 4: past b's 1, within c's 4.
    assert members == ("did:key:a", "did:key:c", "did:key:b")


@pytest.mark.parametrize(
    ("line", "seats", "parties"),
    [
        pytest.param(list(zip(agents(5), (1, 2, 3, 4, 5), strict=True)), 2, (), id="weights 1 to 5"),
        pytest.param(list(zip(agents(5), (1,) * 5, strict=True)), 3, (), id="all alike"),
        pytest.param(list(zip(agents(4), (1, 1, 1, 97), strict=True)), 2, (), id="one that weighs nearly all"),
        pytest.param(list(zip(POPULATION[6:14], range(1, 9), strict=True)), 3, (), id="three operators among agents"),
        pytest.param(list(zip(agents(6), (3, 1, 4, 1, 5, 9), strict=True)), 2, agents(6)[4:], id="without the parties"),
    ],
)
def test_every_committee_is_drawn_as_often_as_its_exact_probability(
    line: list[Row], seats: int, parties: tuple[AgentDid, ...]
) -> None:
    epoch, draws = epoch_of(line), 4000
    exact = chances(without(line, *parties), seats)

    found = Counter[Drawn](draw(epoch, seed=seed, seats=seats, parties=parties) for seed in seeds(draws))

    assert found.keys() <= exact.keys()
    assert sum(exact.values()) == 1
    squares = sum((found[members] - draws * p) ** 2 / (draws * p) for members, p in exact.items())
    assert float(squares) < critical(len(exact) - 1)


def test_an_agent_is_included_as_often_as_its_exact_probability() -> None:
    line = list(zip(agents(6), (1, 1, 2, 3, 5, 8), strict=True))
    epoch, draws = epoch_of(line), 4000
    exact = chances(line, 3)

    found = Counter(member for seed in seeds(draws) for member in draw(epoch, seed=seed, seats=3, parties=()))

    for did, _ in line:
        expected = float(sum(p for members, p in exact.items() if did in members))
        deviation = (expected * (1 - expected) / draws) ** 0.5
        assert abs(found[AgentDid(did)] / draws - expected) < 4 * deviation


def test_a_fifth_of_well_trusted_colluders_seldom_owns_three_of_five() -> None:
    honest = agents(80, "honest")
    colluders = set(agents(20, "colluder"))
    trusts = dict.fromkeys(colluders, 750_000) | {did: 400_000 + 5_000 * i for i, did in enumerate(honest)}
    nominees = [Nominee(AgentDid(did), NOW, trust, 5) for did, trust in trusts.items()]
    epoch, draws = build_epoch(nominees, population=len(nominees), committee_size=5), 4000

    owned = sum(
        len(colluders.intersection(draw(epoch, seed=seed, seats=5, parties=(CLIENT, WORKER)))) >= 3
        for seed in seeds(draws)
    )

    assert 0.06 <= owned / draws <= 0.11
