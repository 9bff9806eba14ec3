"""Reading a CTC lattice under a form: which characters may stand in which place.

Rule: the search is exact. A form is a fixed row of places, so the best path through (place, character) is found by
dynamic programming over all forms at once, and the probability of a string is the sum over all its alignments.

Shapes: T frames, V characters of the output, P kinds of places, F forms, K places of the longest form.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.intp]

_SURE_BLANK = 0.999
_FLOOR = 1e-9  # a probability below this counts as this
_SEEN = 3e-3  # a character that nowhere reaches this probability was not seen
_HOPELESS = 8.0  # nats behind the best form's bound: not searched
_BEHIND = 8.0  # nats behind the best path: not returned
_LOWEST = -10.0  # nats: a path below this is noise
_MOST = 6  # paths returned


@dataclass(frozen=True, slots=True)
class Path:
    """The best alignment of one form: character index (K,) and strongest frame (K,) of each place."""

    form: int
    characters: Ints
    frames: Ints
    log_probability: float


def squeeze(blank: Sequence[float]) -> list[int]:
    """The frames that are left when each run of frames that are surely blank is folded into its first one.

    `blank` (T,): probability of the blank. Nothing else changes by it.
    """
    sure = [False, *(silence >= _SURE_BLANK for silence in blank)]
    return [frame for frame in range(len(blank)) if not (sure[frame] and sure[frame + 1])]


def lean(prob: Floats, rivals: Ints, favoured: int, odds: float) -> Floats:
    """The probabilities (T, C) after a prior: one of the rival columns is `odds` times as frequent as each other.

    Each frame gives its rivals together as much as before, so nothing else becomes more or less probable.
    """
    weights = np.where(rivals == favoured, np.float32(odds), np.float32(1))
    weighted = prob[:, rivals] * weights
    leaning = prob.copy()
    leaning[:, rivals] = weighted * (prob[:, rivals].sum(axis=1) / np.maximum(weighted.sum(axis=1), _FLOOR))[:, None]
    return leaning


def greedy(prob: Floats, alphabet: str) -> tuple[str, list[int]]:
    """What the recogniser says by itself: the text of the best path (T, C), and each character's strongest frame.

    Repeats are folded; label 0 is the blank.
    """
    best = prob.argmax(axis=1).tolist()
    text, strongest = "", []
    for label, run in groupby(range(len(best)), key=best.__getitem__):
        if label:
            text += alphabet[label - 1]
            strongest.append(max(run, key=prob[:, label].__getitem__))
    return text, strongest


def search(emission: Floats, blank: Floats, forms: Ints) -> list[Path]:
    """The best path of each form that is not far behind, best first.

    `emission` (P, T, V): probability of each character in each kind of place, 0 where it may not stand; `blank` (T,);
    `forms` (F, K): kind of each place, -1 after the last.
    """
    used = np.flatnonzero(emission.max(axis=(0, 1)) > _SEEN)
    if used.size == 0:
        return []
    log_emission = np.log(np.maximum(emission[:, :, used], _FLOOR)).astype(np.float32)
    bound = np.append(log_emission.max(axis=(1, 2)), 0)[forms].sum(axis=1)
    hopeful = np.flatnonzero(bound >= max(bound.max() - _HOPELESS, _LOWEST))
    if hopeful.size == 0:
        return []
    labels, blanks = _forward(log_emission, np.log(np.maximum(blank, _FLOOR)), forms[hopeful])
    lengths = (forms[hopeful] >= 0).sum(axis=1)
    rows = np.arange(len(hopeful))
    scores = np.maximum(labels[-1, rows, lengths].max(axis=1), blanks[-1, rows, lengths])
    paths = []
    least = max(float(scores.max()) - _BEHIND, _LOWEST)
    for row in np.argsort(-scores)[:_MOST]:
        if scores[row] < least:
            break
        kinds = forms[hopeful[row], : lengths[row]]
        characters, frames = _trace(labels[:, row], blanks[:, row], log_emission[kinds], int(lengths[row]))
        paths.append(Path(int(hopeful[row]), used[characters], frames, float(scores[row])))
    return paths


def _forward(log_emission: Floats, log_blank: Floats, forms: Ints) -> tuple[Floats, Floats]:
    """Scores of the best path ending in a label (T, F, K+1, V) or in a blank (T, F, K+1) after each frame."""
    frames, width = log_emission.shape[1:]
    count, places = forms.shape
    labels = np.full((frames, count, places + 1, width), -np.inf, np.float32)
    blanks = np.full((frames, count, places + 1), -np.inf, np.float32)
    by_place = np.swapaxes(log_emission, 0, 1)[:, forms]  # (T, F, K, V); the padding's -1 is never the answer
    label, blank = labels[0].copy(), blanks[0].copy()
    blank[:, 0] = 0
    rows, columns = np.ogrid[:count, : places + 1]
    for frame in range(frames):
        top = label.argmax(axis=2)
        best = label[rows, columns, top]
        label[rows, columns, top] = -np.inf
        # a character cannot follow itself without a blank between
        other = np.maximum(label.max(axis=2), blank)
        label[rows, columns, top] = best
        either = np.maximum(best, blank)
        after = np.maximum(label[:, 1:], either[:, :-1, None])
        at = rows, columns[:, :-1], top[:, :-1]
        after[at] = np.maximum(label[:, 1:][at], other[:, :-1])
        label[:, 1:] = after + by_place[frame]
        blank = either + log_blank[frame]
        labels[frame], blanks[frame] = label, blank
    return labels, blanks


def _trace(labels: Floats, blanks: Floats, log_emission: Floats, length: int) -> tuple[Ints, Ints]:
    """Walk one form's scores (T, K+1, V), (T, K+1) back to the characters and their strongest frames."""
    characters = np.zeros(length, np.intp)
    frames = np.zeros(length, np.intp)
    strongest = np.full(length, -np.inf)
    place = length
    current = -1 if blanks[-1, length] > labels[-1, length].max() else int(labels[-1, length].argmax())
    for frame in range(len(labels) - 1, -1, -1):
        if current >= 0:
            characters[place - 1] = current
            strength = log_emission[place - 1, frame, current]
            if strength > strongest[place - 1]:
                strongest[place - 1], frames[place - 1] = strength, frame
        if frame == 0 or place == 0:
            break
        before, blank = labels[frame - 1], blanks[frame - 1]
        if current < 0:  # a blank stays after the same place
            label = int(before[place].argmax())
            current = label if before[place, label] > blank[place] else -1
            continue
        others = before[place - 1].copy()
        others[current] = -np.inf
        label = int(others.argmax())
        if before[place, current] >= max(others[label], blank[place - 1]):
            continue
        current = label if others[label] > blank[place - 1] else -1
        place -= 1
    return characters, frames


def probability(
    emission: Sequence[Sequence[float]], blank: Sequence[float], repeats: Sequence[bool], frames: Iterable[int]
) -> float:
    """Probability of one string: the sum over its alignments with `frames`.

    `emission` (K, T): of its characters; `blank` (T,); `repeats` (K,): the character equals the one before it. Plain
    floats, which for so few are three times as quick as arrays.
    """
    places = range(len(emission), 0, -1)  # from behind: what comes before a place is still that of the last frame
    labels = [0.0] * (len(emission) + 1)  # of having come to each character, and to the blank after it
    blanks = [1.0, *labels[1:]]
    for frame in frames:
        silence = blank[frame]
        for place in places:
            after_another = 0.0 if repeats[place - 1] else labels[place - 1]
            blanks[place] = (blanks[place] + labels[place]) * silence
            labels[place] = (labels[place] + blanks[place - 1] + after_another) * emission[place - 1][frame]
        blanks[0] *= silence
    return labels[-1] + blanks[-1]
