"""The retrieval set keeps what it promises, and the measures over it count as their formulas say."""

from collections import Counter
from math import log

import pytest

from bench.discovery import dataset, lexical
from bench.discovery.dataset import Agent, Half, Kind, Query
from bench.discovery.measures import mean_reciprocal_rank, recall_at
from bench.discovery.words import stems

AGENTS = {agent.id: agent for agent in dataset.agents()}
QUERIES = dataset.all_queries()


def words(agent: Agent) -> set[str]:
    return {word for capability in agent.capabilities for word in stems(capability.text)}


def shared(query: Query, agent: str) -> set[str]:
    return words(AGENTS[agent]) & set(stems(query.text))


def of(kind: Kind) -> list[Query]:
    return [query for query in QUERIES if query.kind is kind]


def test_the_set_is_as_large_as_promised() -> None:
    agents_by_topic = Counter(agent.topic for agent in AGENTS.values())

    assert len(AGENTS) >= 64
    assert len(agents_by_topic) >= 20
    assert min(agents_by_topic.values()) >= 3
    assert len(of(Kind.DIRECT)) >= 60
    assert len(of(Kind.PARAPHRASE)) >= 60


def test_no_agent_query_or_text_is_there_twice() -> None:
    descriptions = [capability.description for agent in AGENTS.values() for capability in agent.capabilities]

    assert len(dataset.agents()) == len(AGENTS)
    assert len({query.id for query in QUERIES}) == len(QUERIES)
    assert len({query.text.casefold() for query in QUERIES}) == len(QUERIES)
    assert len(set(descriptions)) == len(descriptions)


@pytest.mark.parametrize("agent", AGENTS.values(), ids=lambda agent: agent.id)
def test_an_agent_registers_one_or_two_capabilities_in_a_sentence_with_tags(agent: Agent) -> None:
    assert 1 <= len(agent.capabilities) <= 2
    assert all(8 <= len(capability.description.split()) <= 30 for capability in agent.capabilities)
    assert all(1 <= len(capability.tags) <= 4 for capability in agent.capabilities)


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.id)
def test_a_query_is_short_and_its_answers_exist_in_its_topic(query: Query) -> None:
    assert 4 <= len(query.text.split()) <= 20
    assert AGENTS[query.right[0]].topic == query.topic
    assert len(set(query.right)) == len(query.right)
    assert set(query.right) | set(query.near_misses) <= set(AGENTS)


def test_every_agent_is_the_right_answer_to_something() -> None:
    assert {agent for query in QUERIES for agent in query.right} == set(AGENTS)


def test_direct_queries_share_words_with_every_right_answer() -> None:
    assert [query.id for query in of(Kind.DIRECT) if any(len(shared(query, agent)) < 2 for agent in query.right)] == []


def test_paraphrases_share_no_word_with_any_right_answer() -> None:
    found = {
        query.id: words for query in of(Kind.PARAPHRASE) for agent in query.right if (words := shared(query, agent))
    }

    assert found == {}


def test_near_misses_share_a_word_and_are_wrong() -> None:
    hard = [query for query in QUERIES if query.near_misses]

    assert len(hard) >= 40
    assert all(shared(query, agent) for query in hard for agent in query.near_misses)
    assert all(set(query.near_misses).isdisjoint(query.right) for query in hard)


def test_the_halves_are_what_chance_gave_and_balanced_in_every_topic_and_kind() -> None:
    sizes = Counter((query.topic, query.kind, query.half) for query in QUERIES)

    assert {query.id: query.half for query in QUERIES} == dataset.halves(QUERIES)
    assert set(sizes.values()) == {2}
    assert len(sizes) == len({agent.topic for agent in AGENTS.values()}) * len(Kind) * len(Half)


def test_a_half_is_read_without_the_other() -> None:
    tuning, test = (dataset.queries(half) for half in Half)

    assert {query.id for query in tuning}.isdisjoint(query.id for query in test)
    assert len(tuning) + len(test) == len(QUERIES)
    assert {query.kind for query in dataset.queries(Half.TEST, Kind.DIRECT)} == {Kind.DIRECT}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("translate", "translations"),
        ("files", "filing"),
        ("codes", "coded"),
        ("Companies", "company"),
        ("tax", "taxes"),
    ],
)
def test_forms_of_a_word_have_one_stem(one: str, other: str) -> None:
    assert stems(one) == stems(other) != []


def test_small_words_are_no_content() -> None:
    assert stems("Where is what I need, and who would give it to me?") == []


RIGHT = {"one": ("a",), "two": ("a", "b"), "none": ("c",)}
RANKINGS = {"one": ["b", "a", "c"], "two": ["b", "c", "a"], "none": []}


@pytest.mark.parametrize(("k", "expected"), [(1, (0 + 1 + 0) / 3), (2, (1 + 1 / 2 + 0) / 3), (3, (1 + 1 + 0) / 3)])
def test_recall_is_the_part_of_the_right_answers_among_the_first(k: int, expected: float) -> None:
    assert recall_at(k, RANKINGS, RIGHT) == pytest.approx(expected)


def test_the_reciprocal_rank_is_that_of_the_first_right_answer() -> None:
    assert mean_reciprocal_rank(RANKINGS, RIGHT) == pytest.approx((1 / 2 + 1 + 0) / 3)


def test_a_query_can_not_be_left_out() -> None:
    with pytest.raises(KeyError):
        recall_at(1, {"one": ["a"]}, RIGHT)


def test_a_ranking_that_names_somebody_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        mean_reciprocal_rank({"one": ["b", "b", "a"]}, {"one": ("a",)})


def test_no_place_at_all_is_no_measure() -> None:
    with pytest.raises(ValueError, match="1 or more"):
        recall_at(0, RANKINGS, RIGHT)


def test_a_word_weighs_more_if_it_is_rare_and_its_document_short() -> None:
    rare, common, long = lexical.bm25(["rare", "word"], [["rare"], ["word"], ["word", "and", "more", "of", "it"]])

    assert rare > common > long > 0
    assert lexical.bm25(["word"], [["word"], ["else"]]) == [pytest.approx(log(2)), 0]


def test_lexical_search_finds_by_words_only() -> None:
    agents = dataset.agents()

    assert lexical.rank("notarial deed", agents) == ["legal-german-english"]
    assert lexical.rank("qwertz", agents) == []
