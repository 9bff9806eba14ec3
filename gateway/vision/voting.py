"""One plate from the frames of one track: every character is voted for by itself.

Rule: each frame says how sure it is of each character; their odds multiply, but as if only the root of their number
were independent, for neighbouring frames err together. What speaks against the plate as a whole (its colour, an odd
serial) is no doubt about a character: it is taken out of the votes, and counts once at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import exp, log, prod

from gateway.plate_rules import classify
from gateway.types import Plate
from gateway.vision.grammar import doubt

_LEAST, _MOST = 0.01, 0.9999  # no read is worth nothing, none is beyond doubt
_CONFUSED = 0.2  # of a wrong character's chances, how much falls to the one that another frame read there
_EVEN = 0.02  # of its doubt a read shares out evenly: a net that is sure of a character can be wrong about it


@dataclass(frozen=True, slots=True)
class _Ballot:
    """A read as it votes: its number, and the probability that each character is right."""

    number: str
    chances: tuple[float, ...]
    sure: float  # their product


def vote(reads: Sequence[Plate]) -> Plate | None:
    """The plate that the reads of one track show together; None without any."""
    if not reads:
        return None
    ballots = [_ballot(read) for read in reads]
    weights: dict[int, float] = {}
    for ballot in ballots:
        weights[len(ballot.number)] = weights.get(len(ballot.number), 0.0) + ballot.sure**2
    length = max(weights, key=weights.__getitem__)
    number, chances = _elect([ballot for ballot in ballots if len(ballot.number) == length], length)
    alike = [read for read in reads if read.number == number]
    lead = max(alike or (read for read in reads if len(read.number) == length), key=lambda read: read.confidence)
    if not alike and not _is_possible(number, lead):
        number, chances = lead.number, _ballot(lead).chances
    mismatch = _mostly_mismatched(alike or [lead])
    confidence = prod(chances) * weights[length] / sum(weights.values())
    shown = tuple(round(chance, 4) for chance in chances)
    voted = replace(lead, number=number, colour_mismatch=mismatch, char_confidence=shown)
    confidence = min(confidence * _systematic(voted), _MOST if alike else lead.confidence)
    return replace(voted, confidence=round(confidence, 4))


def _ballot(read: Plate) -> _Ballot:
    """Share the doubt about the number out among its characters, most to those the net was least sure of."""
    sure = min(max(read.confidence / _systematic(read), _LEAST), _MOST)
    doubts = [-log(min(max(share, _LEAST), 1.0)) for share in read.char_confidence]
    total = sum(doubts)
    even = 1 / max(1, len(doubts))
    shares = [(1 - _EVEN) * doubt / total + _EVEN * even if total > 0 else even for doubt in doubts]
    return _Ballot(read.number, tuple(exp(log(sure) * share) for share in shares), sure)


def _elect(ballots: Sequence[_Ballot], length: int) -> tuple[str, tuple[float, ...]]:
    """The winner of each place and its chance, against the others seen there and against one that nobody saw."""
    number, chances = "", []
    temper = len(ballots) ** -0.5
    for place in range(length):
        seen = {ballot.number[place] for ballot in ballots}
        scores = {
            character: sum(
                log(ballot.chances[place])
                if ballot.number[place] == character
                else log(_CONFUSED * (1 - ballot.chances[place]))
                for ballot in ballots
            )
            for character in sorted(seen)
        }
        winner = max(scores, key=scores.__getitem__)
        against = sum(  # all of them wrong; those that differ from the winner are so in any case
            log(1 - ballot.chances[place])
            if ballot.number[place] == winner
            else log(_CONFUSED * (1 - ballot.chances[place]))
            for ballot in ballots
        )
        rivals = [score for character, score in scores.items() if character != winner] + [against]
        chances.append(1 / (1 + sum(exp(temper * (rival - scores[winner])) for rival in rivals)))
        number += winner
    return number, tuple(chances)


def _systematic(plate: Plate) -> float:
    """What lowers the confidence in every frame alike."""
    kind = classify(plate.number, plate.plate_color)
    return doubt(plate.number, kind, mismatch=plate.colour_mismatch) if kind is not None else 1.0


def _is_possible(number: str, like: Plate) -> bool:
    kind = classify(number, like.plate_color)
    return kind is not None and kind.plate_class == like.plate_class


def _mostly_mismatched(reads: Sequence[Plate]) -> bool:
    against = sum(read.confidence if read.colour_mismatch else -read.confidence for read in reads)
    return against > 0
