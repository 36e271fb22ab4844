"""Vectors as they are sent, and what their cosines mean."""

import base64
import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ainp.core.errors import InvalidRequest
from ainp.core.vectors import (
    YARDSTICK,
    Model,
    Scale,
    Sent,
    calibrate,
    check_dimension,
    check_model,
    read_base64,
    to_base64,
    unit,
)

THREE = Model("three", 3)


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), max_size=20))
def test_numbers_come_back_from_base64_as_they_went(numbers: list[float]) -> None:
    assert read_base64(to_base64(numbers)) == numbers


def test_base64_is_of_little_endian_float32() -> None:
    assert base64.b64decode(to_base64([1.0, -2.5])) == struct.pack("<2f", 1.0, -2.5)


@pytest.mark.parametrize("text", ["not base64", "AAA", "AAAAAAA="])
def test_what_is_no_vector_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="embedding"):
        read_base64(text)


def test_a_vector_of_another_model_is_refused_with_both_names() -> None:
    with pytest.raises(InvalidRequest, match="found 'two', expected 'three'") as refused:
        check_model(Sent([1, 0, 0], "two"), THREE)

    assert refused.value.facts == {"model": "three", "dimension": 3}


def test_a_vector_of_another_dimension_is_refused_with_both() -> None:
    with pytest.raises(InvalidRequest, match="found 2 numbers, expected 3 of the model 'three'"):
        check_model(Sent([1, 0]), THREE)


def test_a_vector_counts_with_its_direction_only() -> None:
    assert check_model(Sent([0, 3, 4], "three"), THREE) == pytest.approx([0, 0.6, 0.8])


@pytest.mark.parametrize("values", [[0.0, 0.0], [math.nan, 1.0], [math.inf, 1.0], [1e308, 1e308, 1e308, 1e308]])
def test_a_vector_without_a_direction_is_refused(values: list[float]) -> None:
    with pytest.raises(InvalidRequest, match="without a direction"):
        unit(values)


@pytest.mark.parametrize("dimension", [0, 4001])
def test_what_cannot_be_indexed_is_no_model(dimension: int) -> None:
    with pytest.raises(InvalidRequest, match="expected 1 to 4000"):
        check_dimension(dimension)


@given(st.floats(-1, 1), st.floats(0, 0.5), st.floats(0.55, 0.98), st.floats(0, 1))
def test_a_larger_cosine_is_never_less_similar(cosine: float, floor: float, ceiling: float, more: float) -> None:
    scale = Scale(floor, ceiling)

    assert 0 <= scale.similarity(cosine) <= scale.similarity(max(cosine, more)) <= 1


def test_similarity_begins_where_chance_ends() -> None:
    scale = Scale(0.1, 0.5)

    assert [round(scale.similarity(cosine), 6) for cosine in (-1, 0.1, 0.3, 0.5, 0.75, 1)] == [0, 0, 0.4, 0.8, 0.9, 1]


@pytest.mark.parametrize(
    ("vectors", "floor", "ceiling"),
    [([[1, 0], [0, 1]], 0, 0.05), ([[1, 0], [0.6, 0.8]], 0.6, 0.65), ([[1, 0], [1, 0]], 0.9, 0.95)],
)
def test_a_scale_has_room_whatever_the_model_is_like(vectors: list[list[float]], floor: float, ceiling: float) -> None:
    scale = calibrate(vectors)

    assert (scale.floor, scale.ceiling) == pytest.approx((floor, ceiling))


def test_the_yardstick_has_no_word_twice_that_means_anything() -> None:
    words = [{word for word in text.lower().split() if len(word) > 6} for text in YARDSTICK]

    assert len(YARDSTICK) >= 20
    assert sum(map(len, words)) == len(set.union(*words))


def test_what_other_implementations_send_is_read() -> None:
    assert read_base64("zczMPQAAAL8AAIA/") == pytest.approx([0.1, -0.5, 1.0])
    assert len(to_base64([0.0] * 1536)) == 8192
