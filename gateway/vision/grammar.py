"""From a recogniser's probabilities to one plate: only what the plate rules allow is ever said.

Rule: the confidence is the probability of the whole number; every doubt (colour, odd serial) only lowers it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from math import exp, log
from typing import NamedTuple

import numpy as np

from gateway.plate_rules import BLACK, PLACES, PROVINCES, RULES, WHITE, PlateKind, Rule, fitting, kind_of
from gateway.types import Plate
from gateway.vision.ctc import Floats, Ints, greedy, lean, probability, search, squeeze

# How much rarer than ordinary plates, in nats; decides only between forms that fit almost equally well.
_RARITY = {
    "ordinary": 0.0,
    "new_energy_small": 0.0,
    "new_energy_large": 0.5,
    "embassy": 3.0,
    "aviation": 3.0,
    "military": 2.0,  # after armed police: WJ12345 fits both
}
_RARE = 1.5
_CORRECTED = 2.0  # for each character that is only a twin of what was read
_OLD_EMBASSY = 3.0  # 使dddddd in addition
_COLOUR_FLOOR = 0.02  # a colour that speaks against a form cannot exclude it
_SURE_COLOUR = 0.6
_SHADES = (BLACK, WHITE)  # too little or too much light makes any colour one of these: no contradiction
_MISMATCH_CUT = 0.5
_LETTERS_CUT = 0.9  # more than two letters in the serial
_RARE_O = 0.3  # of the letter O in second place, against D and Q: for choosing, not for the confidence
_FEWEST = 4.0  # frames that are not blank: fewer hold no number
_NOTHING = 1e-6  # no number at all
_CERTAIN = 1.001  # a net that is surer than this, but for rounding, is broken
_TWINS = {"0": "O", "1": "I", "O": "0"}  # read as the second, means the first in its place
_HOME_ODDS = 30.0  # how much more often plates of the site's own province come than those of each other one
_NEW_ENERGY = ("new_energy_small", "new_energy_large")


@dataclass(frozen=True, slots=True)
class _Forms:
    """The rules' forms for one recogniser's alphabet."""

    output: str  # the characters the search may say
    own: Ints  # (V,) the recogniser's column of each character; the last column is an empty one
    twin: Ints  # (V,) the column of the character it is mistaken for, where that one may not stand
    usual: Floats  # (P, 1, V) 1 where a character may stand in a kind of place, less where it is rare
    places: Ints  # (F, K) kinds of place, -1 after the last
    rules: tuple[Rule, ...]  # (F,)


@dataclass(frozen=True, slots=True)
class Calibration:
    """logit(confidence) = scale * logit(probability) + offset, fitted on photographs with labels."""

    scale: float = 1.0
    offset: float = 0.0

    def __call__(self, value: float) -> float:
        value = min(max(value, 1e-9), 1 - 1e-9)
        return 1 / (1 + exp(-(self.scale * log(value / (1 - value)) + self.offset)))


PLAIN = Calibration()


@lru_cache(maxsize=4)
def _forms_for(alphabet: str) -> _Forms:
    written = [(rule, form) for rule in RULES for form in rule.forms]
    kinds = sorted({place for _, form in written for place in form})
    output = "".join(sorted({character for kind in kinds for character in PLACES.get(kind, kind)}))
    empty = len(alphabet) + 1
    column = {character: index + 1 for index, character in enumerate(alphabet)}
    own = np.array([column.get(character, empty) for character in output], np.intp)
    twin = np.array([column.get(_TWINS.get(character, ""), empty) for character in output], np.intp)
    usual = np.array([[[character in PLACES.get(kind, kind) for character in output]] for kind in kinds], np.float32)
    usual[kinds.index("l"), 0, output.index("O")] = _RARE_O
    longest = max(len(form) for _, form in written)
    places = np.full((len(written), longest), -1, np.intp)
    for row, (_, form) in enumerate(written):
        places[row, : len(form)] = [kinds.index(place) for place in form]
    return _Forms(output, own, twin, usual, places, tuple(rule for rule, _ in written))


def best(
    prob: Floats,
    alphabet: str,
    colour: Mapping[str, float],
    *,
    rows: int = 1,
    narrow: bool = False,
    nev_class: str | None = None,
    province: str | None = None,
    calibration: Calibration = PLAIN,
) -> Plate | None:
    """The most probable plate; None where nothing like a number was seen.

    `prob` (T, 1 + len(alphabet)): probabilities of each frame, column 0 is the blank. `colour`: probability of each
    PlateColor, empty where unknown. `rows`, `narrow`: see `plate_rules.classify`. `province`: the one most cars at this
    site are from; it decides only where the character is in doubt.
    """
    blank = prob[:, 0].tolist()
    if len(blank) - sum(blank) < _FEWEST:
        return None
    lattice = _Lattice(_at_home(prob, alphabet, province), alphabet, blank, squeeze(blank))
    raw, strongest = greedy(prob, alphabet)
    likeliest = (raw, strongest) if lattice.prob is prob else greedy(lattice.prob, alphabet)
    candidates = _plain(lattice, *likeliest, colour) or _searched(lattice, colour)
    chosen = max(candidates, key=_score, default=None)
    if chosen is None or not _NOTHING <= chosen.probability <= _CERTAIN:
        return None
    kind = _kind(chosen.rule, colour, rows, narrow)
    sure = calibration(chosen.probability) * doubt(chosen.number, kind, mismatch=kind.colour_mismatch)
    return Plate(
        number=chosen.number,
        raw=raw,
        plate_class=nev_class if nev_class and kind.name in _NEW_ENERGY else kind.plate_class,
        plate_color=kind.plate_color,
        confidence=round(sure, 4),
        char_confidence=chosen.shares,
        corrected=chosen.corrected > 0,
        colour_mismatch=kind.colour_mismatch,
    )


def _at_home(prob: Floats, alphabet: str, province: str | None) -> Floats:
    if not province or province not in alphabet:
        return prob
    rivals = np.array([alphabet.index(one) + 1 for one in PROVINCES if one in alphabet], np.intp)
    return lean(prob, rivals, alphabet.index(province) + 1, _HOME_ODDS)


class _Lattice(NamedTuple):
    """What the recogniser said of one plate. `blank` is the first column, `frames` those that count (`squeeze`)."""

    prob: Floats
    alphabet: str
    blank: list[float]
    frames: list[int]


class _Candidate(NamedTuple):
    """One possible number. `corrected` counts the characters that were read as their twins."""

    number: str
    rule: Rule
    probability: float
    shares: tuple[float, ...]
    corrected: int
    score: float


def _plain(lattice: _Lattice, number: str, strongest: Sequence[int], colour: Mapping[str, float]) -> list[_Candidate]:
    """The number of the best path, under each rule that allows it, where no search can find a better one.

    It then is more probable than all others together.
    """
    rules = (rule for rule in fitting(number) if not _excludes(colour, rule))
    found = [_weigh(lattice, number, rule, strongest, colour) for rule in rules]
    lead = max(found, key=_score, default=None)
    if lead is None or number[1] == "O" or lead.score <= log(max(1 - lead.probability, 1e-30)):
        return []
    return found


def _searched(lattice: _Lattice, colour: Mapping[str, float]) -> list[_Candidate]:
    """The best number of each form that is not far behind."""
    forms = _forms_for(lattice.alphabet)
    prob = lattice.prob[lattice.frames]
    columns = np.column_stack([prob, np.zeros(len(prob), np.float32)])
    emission = (columns[:, forms.own] + columns[:, forms.twin]) * forms.usual
    found = []
    for path in search(emission, prob[:, 0], forms.places):
        rule = forms.rules[path.form]
        if _excludes(colour, rule):
            continue
        number = "".join(forms.output[index] for index in path.characters)
        strongest = [lattice.frames[frame] for frame in path.frames]
        found.append(_weigh(lattice, number, rule, strongest, colour))
    return found


def _weigh(
    lattice: _Lattice, number: str, rule: Rule, strongest: Sequence[int], colour: Mapping[str, float]
) -> _Candidate:
    """A number with what speaks for and against it: probability, colour, rarity, corrections.

    `strongest`: the frame in which each of its characters is.
    """
    seen, mistaken = zip(*(_seen(lattice, character) for character in number), strict=True)
    repeats = [one == before for before, one in pairwise(" " + number)]
    value = probability(seen, lattice.blank, repeats, lattice.frames)
    shares = [column[frame] for column, frame in zip(seen, strongest, strict=True)]
    twins = [column[frame] for column, frame in zip(mistaken, strongest, strict=True)]
    corrected = sum(twin > share / 2 for share, twin in zip(shares, twins, strict=True))
    penalty = _RARITY.get(rule.name, _RARE) + _OLD_EMBASSY * number.startswith("使") + _CORRECTED * corrected
    score = log(max(value, 1e-30)) + log(_colour_share(rule, colour)) - penalty
    return _Candidate(number, rule, value, tuple(round(min(share, 1.0), 4) for share in shares), corrected, score)


def _seen(lattice: _Lattice, character: str) -> tuple[list[float], list[float]]:
    """How probable a character is in each frame, and how much of that was read as its twin."""
    own, twin = lattice.alphabet.find(character), lattice.alphabet.find(_TWINS.get(character, "\0"))
    mistaken = lattice.prob[:, twin + 1].tolist() if twin >= 0 else [0.0] * len(lattice.blank)
    if own < 0:
        return mistaken, mistaken
    seen = lattice.prob[:, own + 1].tolist()
    return [one + other for one, other in zip(seen, mistaken, strict=True)] if twin >= 0 else seen, mistaken


def _score(candidate: _Candidate) -> float:
    return candidate.score


def _excludes(colour: Mapping[str, float], rule: Rule) -> bool:
    """Whether a rule means nothing on a plate of this colour."""
    return rule.name == "military" and bool(colour) and max(colour, key=colour.__getitem__) != WHITE


def _colour_share(rule: Rule, colour: Mapping[str, float]) -> float:
    """How much of the colours seen is possible for the rule."""
    if not colour:
        return 1.0
    return max(sum(colour.get(code, 0.0) for code in rule.codes), _COLOUR_FLOOR)


def _kind(rule: Rule, colour: Mapping[str, float], rows: int, narrow: bool) -> PlateKind:
    """Class and colour: the colour seen where it is sure, else the likeliest one this class may have."""
    seen = ""
    if colour:
        likely = max(colour, key=colour.__getitem__)
        possible = max(rule.codes, key=lambda code: colour.get(code, 0.0))
        contradicts = colour[likely] >= _SURE_COLOUR and likely not in _SHADES
        seen = likely if likely in rule.codes or contradicts else possible
    return kind_of(rule, seen, rows=rows, narrow=narrow)


def doubt(number: str, kind: PlateKind, *, mismatch: bool) -> float:
    """What the confidence is multiplied with. `mismatch`: its colour is not one of its class."""
    odd = kind.name == "ordinary" and sum(not character.isdigit() for character in number[2:]) > 2
    return (_MISMATCH_CUT if mismatch else 1.0) * (_LETTERS_CUT if odd else 1.0)
