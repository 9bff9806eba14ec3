"""The search against brute force over every path of small lattices."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from gateway.vision import ctc

ALPHABET = "AB1"


def lattice(rng: np.random.Generator, frames: int) -> ctc.Floats:
    logits = rng.normal(0, 2, (frames, len(ALPHABET) + 1))
    powers = np.exp(logits)
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)


def collapse(labels: tuple[int, ...]) -> tuple[int, ...]:
    kept = [label for index, label in enumerate(labels) if index == 0 or label != labels[index - 1]]
    return tuple(label for label in kept if label)


@pytest.mark.parametrize("seed", range(12))
def test_the_best_path_and_the_sum_of_all_are_those_of_brute_force(seed: int) -> None:
    rng = np.random.default_rng(seed)
    prob = lattice(rng, 6)
    letters, digits = np.array([[1, 1, 0]], np.float32), np.array([[0, 0, 1]], np.float32)
    emission = prob[:, 1:] * np.stack([letters, digits])  # two kinds of place
    forms = np.array([[0, 0, 1], [0, 1, -1], [0, 0, 0]])
    best: dict[int, tuple[float, tuple[int, ...]]] = {}
    mass: dict[tuple[int, ...], float] = {}
    for labels in product(range(4), repeat=len(prob)):
        weight = float(np.prod([prob[frame, label] for frame, label in enumerate(labels)]))
        text = collapse(labels)
        mass[text] = mass.get(text, 0.0) + weight
        for index, form in enumerate(forms):
            kinds = [kind for kind in form if kind >= 0]
            fits = len(text) == len(kinds) and all(
                (label == 3) == bool(kind) for label, kind in zip(text, kinds, strict=True)
            )
            if fits and weight > best.get(index, (0.0, ()))[0]:
                best[index] = (weight, text)
    paths = ctc.search(emission, prob[:, 0], forms)
    assert paths
    assert paths[0].log_probability == max(path.log_probability for path in paths)
    for path in paths:
        weight, text = best[path.form]
        assert path.log_probability == pytest.approx(np.log(weight), abs=1e-3)
        assert tuple(path.characters + 1) == text
        repeats = [False, *(path.characters[1:] == path.characters[:-1])]
        total = ctc.probability(prob[:, path.characters + 1].T.tolist(), prob[:, 0].tolist(), repeats, range(len(prob)))
        assert total == pytest.approx(mass[text], rel=1e-4)


def test_runs_of_sure_blanks_fold_into_one() -> None:
    assert ctc.squeeze([1, 1, 0, 1, 1, 1]) == [0, 2, 3]


def test_greedy_drops_repeats_and_blanks() -> None:
    labels = [1, 1, 0, 1, 2, 2, 3, 0]
    assert ctc.greedy(np.eye(4, dtype=np.float32)[labels], ALPHABET)[0] == "AAB1"


def test_an_empty_lattice_has_no_path() -> None:
    blank = np.ones(4, np.float32)
    assert ctc.search(np.zeros((2, 4, 3), np.float32), blank, np.array([[0, 1]])) == []
