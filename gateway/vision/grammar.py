"""From a recogniser's probabilities to one plate: only what the plate rules allow is ever said.

Rule: the confidence is the probability of the whole number; every doubt (colour, odd serial) only lowers it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from math import exp, log

import numpy as np

from gateway.plate_rules import BLACK, PLACES, PROVINCES, RULES, WHITE, PlateKind, Rule, kind_of
from gateway.types import Plate
from gateway.vision.ctc import Floats, Ints, Path, greedy, lean, probability, runs, search, squeeze

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
_TWINS = {"0": "O", "1": "I", "O": "0"}  # read as the second, means the first in its place
_HOME_ODDS = 30.0  # how much more often plates of the site's own province come than those of each other one
_NEW_ENERGY = ("new_energy_small", "new_energy_large")


@dataclass(frozen=True, slots=True)
class _Forms:
    """The rules' forms for one recogniser's alphabet."""

    output: str  # the characters the search may say
    own: Ints  # (V,) the recogniser's column of each character; the last column is an empty one
    said: Ints  # (1 + len(alphabet),) the character of each column of the recogniser, -1 where no form has it
    twin: Ints  # (V,) the column of the character it is mistaken for, where that one may not stand
    allowed: Floats  # (P, 1, V) 1 where a character may stand in a kind of place
    usual: Floats  # (P, 1, V) the same, less where it is rare
    places: Ints  # (F, K) kinds of place, -1 after the last
    rules: tuple[Rule, ...]  # (F,)
    penalty: tuple[float, ...]  # (F,) nats


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
    allowed = np.array([[[character in PLACES.get(kind, kind) for character in output]] for kind in kinds], np.float32)
    usual = allowed.copy()
    usual[kinds.index("l"), 0, output.index("O")] = _RARE_O
    longest = max(len(form) for _, form in written)
    places = np.full((len(written), longest), -1, np.intp)
    for row, (_, form) in enumerate(written):
        places[row, : len(form)] = [kinds.index(place) for place in form]
    penalty = tuple(_RARITY.get(rule.name, _RARE) + _OLD_EMBASSY * form.startswith("使") for rule, form in written)
    said = np.array([-1, *(output.find(character) for character in alphabet)], np.intp)
    return _Forms(output, own, said, twin, allowed, usual, places, tuple(rule for rule, _ in written), penalty)


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
    if float((1 - prob[:, 0]).sum()) < _FEWEST:
        return None
    forms = _forms_for(alphabet)
    candidates = _candidates(squeeze(_at_home(prob, alphabet, province)), forms, colour)
    chosen = max(candidates, key=lambda candidate: candidate.score, default=None)
    if chosen is None or chosen.probability < _NOTHING:
        return None
    kind = _kind(chosen.rule, colour, rows, narrow)
    sure = calibration(chosen.probability) * doubt(chosen.number, kind, mismatch=kind.colour_mismatch)
    return Plate(
        number=chosen.number,
        raw=greedy(prob, alphabet),
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


@dataclass(frozen=True, slots=True)
class _Candidate:
    """One possible number. `corrected` counts the characters that were read as their twins."""

    number: str
    rule: Rule
    probability: float
    shares: tuple[float, ...]
    corrected: int
    score: float


def _candidates(frames: Floats, forms: _Forms, colour: Mapping[str, float]) -> list[_Candidate]:
    """The numbers worth choosing from. What is more probable than all others together needs no search."""
    columns = np.column_stack([frames, np.zeros(len(frames), np.float32)])
    twins = columns[:, forms.twin]
    each = columns[:, forms.own] + twins
    emission = each * forms.allowed
    weigh = partial(_weigh, frames=frames, twins=twins, emission=emission, forms=forms, colour=colour)
    plain = list(weigh(_plain(frames, forms)))
    lead = max(plain, key=lambda one: one.score, default=None)
    if lead is not None and lead.number[1] != "O" and lead.score > log(max(1 - lead.probability, 1e-30)):
        return plain
    return list(weigh(search(each * forms.usual, frames[:, 0], forms.places)))


def _plain(frames: Floats, forms: _Forms) -> Iterator[Path]:
    """The recogniser's own best path, under each form that allows its characters."""
    labels, at = runs(frames)
    characters = forms.said[labels]
    if not 0 < len(labels) <= forms.places.shape[1] or (characters < 0).any():
        return
    for form in np.flatnonzero((forms.places >= 0).sum(axis=1) == len(labels)):
        kinds = forms.places[form, : len(labels)]
        if (forms.allowed[kinds, 0, characters] > 0).all():
            yield Path(int(form), characters, at, 0.0)


def _weigh(
    paths: Iterable[Path],
    *,
    frames: Floats,
    twins: Floats,
    emission: Floats,
    forms: _Forms,
    colour: Mapping[str, float],
) -> Iterator[_Candidate]:
    """Paths with what speaks for and against each: probability, colour, rarity, corrections."""
    for path in paths:
        rule, characters = forms.rules[path.form], path.characters
        fitting = _colour_share(rule, colour)
        if fitting <= 0:
            continue
        kinds = forms.places[path.form, : len(characters)]
        repeats = np.zeros(len(characters), bool)
        repeats[1:] = characters[1:] == characters[:-1]
        value = probability(emission[kinds, :, characters], frames[:, 0], repeats)
        shares = emission[kinds, path.frames, characters]
        corrected = int((twins[path.frames, characters] > shares / 2).sum())
        yield _Candidate(
            number="".join(forms.output[index] for index in characters),
            rule=rule,
            probability=value,
            shares=tuple(round(min(float(share), 1.0), 4) for share in shares),
            corrected=corrected,
            score=log(max(value, 1e-30)) + log(fitting) - forms.penalty[path.form] - _CORRECTED * corrected,
        )


def _colour_share(rule: Rule, colour: Mapping[str, float]) -> float:
    """How much of the colours seen is possible for the rule; 0 excludes it."""
    if not colour:
        return 1.0
    if rule.name == "military" and max(colour, key=colour.__getitem__) != WHITE:
        return 0.0
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
