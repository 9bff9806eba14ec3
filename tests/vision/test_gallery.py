"""The rule by which a vector is somebody's or nobody's, on made-up vectors."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from gateway.errors import ModelError
from gateway.vision.gallery import Gallery, Rule

ROOT = Path(__file__).resolve().parent.parent.parent
RULE = Rule(match=0.45, margin=0.08, alone=0.40, per_tenfold=0.045)


def at(*values: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """A vector of 128 numbers that begins like this."""
    vector = np.zeros(128, np.float32)
    vector[: len(values)] = values
    return vector


def gallery(*templates: tuple[str, tuple[float, ...]], rule: Rule = RULE) -> Gallery:
    return Gallery([(subject, at(*values).tobytes()) for subject, values in templates], rule)


def test_nobody_enrolled() -> None:
    assert len(gallery()) == 0
    assert gallery().match(at(1)) is None
    assert gallery().nearest(at(1)) is None


@pytest.mark.parametrize(("distance", "accepted"), [(0, True), (0.39, True), (0.41, False), (0.44, False)])
def test_one_person_alone_must_be_nearer(distance: float, accepted: bool) -> None:
    match = gallery(("a", (1, 0))).match(at(1, distance))
    assert (match is not None) == accepted
    if match:
        assert match.subject == "a"
        assert match.margin == math.inf
        assert match.threshold == 0.40
        assert match.distance == pytest.approx(distance, abs=1e-3)


@pytest.mark.parametrize(
    ("nearest", "next_", "accepted"),
    [(0.44, 0.60, True), (0.46, 0.90, False), (0.30, 0.37, False), (0.30, 0.39, True), (0.44, 0.51, False)],
)
def test_near_enough_and_clearly_nearer_than_the_next(nearest: float, next_: float, accepted: bool) -> None:
    people = gallery(("a", (nearest, 0)), ("b", (0, next_)), ("b", (0, 5)), ("a", (9, 9)))
    match = people.match(at(0, 0))
    assert (match is not None) == accepted
    found = people.nearest(at(0, 0))
    assert found is not None
    assert found.subject == "a"
    assert found.margin == pytest.approx(next_ - nearest, abs=1e-4)
    assert found.gallery_size == 2


def test_the_best_template_of_a_person_counts_and_the_margin_is_to_another_person() -> None:
    people = gallery(("a", (3, 0)), ("a", (0.1, 0)), ("a", (0.11, 0)), ("b", (0, 2)))
    match = people.match(at(0, 0))
    assert match is not None
    assert match.distance == pytest.approx(0.1, abs=1e-4)
    assert match.margin == pytest.approx(1.9, abs=1e-4)


def test_more_people_need_a_smaller_distance() -> None:
    assert RULE.threshold(2) == RULE.threshold(24) == 0.45
    assert RULE.threshold(240) == pytest.approx(0.405)
    assert RULE.threshold(2400) == pytest.approx(0.36)
    assert RULE.threshold(1) == 0.40


def test_similarity_and_its_threshold_compare_like_the_distances() -> None:
    match = gallery(("a", (0.2, 0)), ("b", (2, 0))).match(at(0, 0))
    assert match is not None
    assert match.similarity == pytest.approx(0.8, abs=1e-4)
    assert match.similarity > match.similarity_threshold == pytest.approx(0.55)


def test_matrix_distances_equal_the_plain_ones() -> None:
    rng = np.random.default_rng(2)
    vectors = rng.normal(size=(60, 128)).astype(np.float32) / 8
    owners = [f"p{index % 17}" for index in range(60)]
    people = Gallery([(owner, vector.tobytes()) for owner, vector in zip(owners, vectors, strict=True)], RULE)
    probe = rng.normal(size=128).astype(np.float32) / 8
    plain = {
        name: min(float(np.linalg.norm(v - probe)) for v, o in zip(vectors, owners, strict=True) if o == name)
        for name in set(owners)
    }
    np.testing.assert_allclose(people.distances(probe), [plain[name] for name in people.subjects], atol=1e-4)
    assert len(people) == 17


def test_a_vector_of_no_numbers_is_nobody() -> None:
    assert gallery(("a", (0.1, 0)), ("b", (2, 0))).match(at(math.nan)) is None
    assert gallery(("a", (0.1, 0))).match(at(math.inf)) is None


def test_a_card_without_the_rule_is_refused() -> None:
    with pytest.raises(ModelError, match="margin"):
        Rule.of({"match": 0.45, "alone": 0.4})


def test_a_similarity_of_unit_vectors_is_their_cosine() -> None:
    people = gallery(("a", (1, 0)), ("b", (-1, 0)), rule=Rule(match=1.05, margin=0.1, alone=1.0, cosine=True))
    match = people.match(at(math.cos(0.6), math.sin(0.6)))
    assert match is not None
    assert match.similarity == pytest.approx(math.cos(0.6), abs=1e-4)
    assert match.similarity_threshold == pytest.approx(1 - 1.05**2 / 2)


COHORT = Rule(match=0.45, margin=0.08, alone=0.40, per_tenfold=0.045, cohort=0.29, cohort_margin=0.04)


def ring(people: int, own: float, others: float, rule: Rule = COHORT) -> Gallery:
    """One person at a distance from the origin, all others at another, each in a direction of their own."""
    rows = [("a", at(own))] + [(f"b{number:02d}", at(*[0.0] * (number + 1), others)) for number in range(people - 1)]
    return Gallery([(name, row.tobytes()) for name, row in rows], rule)


def test_whoever_is_near_to_everybody_is_nobody() -> None:
    assert ring(12, 0.38, 0.47).match(at(0)) is None  # 0.38 - 0.09 / 2 = 0.335: near, but hardly nearer than to all
    assert ring(12, 0.38, 0.60).match(at(0)) is not None  # 0.27
    found = ring(12, 0.38, 0.60).nearest(at(0))
    assert found is not None
    assert found.normalised == pytest.approx(0.27, abs=1e-4)


def test_the_cohort_counts_from_ten_people_on_and_lets_the_margin_be_smaller() -> None:
    assert ring(9, 0.38, 0.47).match(at(0)) is not None
    assert ring(10, 0.38, 0.47).match(at(0)) is None
    assert ring(9, 0.25, 0.30).match(at(0)) is None
    assert ring(10, 0.25, 0.30).match(at(0)) is not None
    assert ring(10, 0.25, 0.30, RULE).match(at(0)) is None  # a card without `cohort`
    assert ring(10, 0.25, 0.28).match(at(0)) is None


def test_templates_of_another_length_must_be_made_again() -> None:
    with pytest.raises(ModelError) as caught:
        gallery(("a", (1, 0))).match(np.zeros(512, np.float32))
    assert "re-enrol" in str(caught.value.hint)
    with pytest.raises(ModelError):
        Gallery([("a", at(1).tobytes()), ("b", np.ones(512, np.float32).tobytes())], RULE)


def test_one_face_is_found_among_a_hundred_thousand_templates() -> None:
    """How fast is measured by `python -m tests.bench search`."""
    rows = np.random.default_rng(1).normal(size=(100_000, 128)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    people = Gallery([(f"p{number // 3:05d}", row.tobytes()) for number, row in enumerate(rows)], COHORT)
    found = people.match(rows[7])
    assert found is not None
    assert found.subject == "p00002"
