"""Invented plate numbers of every class of the domain, with the class's share of the training images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

PROVINCES = "京津冀晋蒙辽吉黑沪苏浙皖闽赣鲁豫鄂湘粤桂琼渝川贵云藏陕甘青宁新"
LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"
DIGITS = "0123456789"
COLOURS = ("blue", "yellow", "green", "white", "black")
ALPHABET = PROVINCES + "学警港澳挂使领应急民航" + DIGITS + "ABCDEFGHJKLMNOPQRSTUVWXYZ"
NEW_ENERGY = "DABCEFGHJK"
LETTER_O_SHARE = 0.05

Random = np.random.Generator


@dataclass(frozen=True, slots=True)
class Number:
    """A plate's text, its colour class (one of COLOURS) and the name of the layout that carries it."""

    text: str
    colour: str
    layout: str


def _pick(rng: Random, characters: str) -> str:
    return characters[int(rng.integers(len(characters)))]


def _digits(rng: Random, count: int) -> str:
    return "".join(_pick(rng, DIGITS) for _ in range(count))


def _serial(rng: Random, count: int) -> str:
    """Letters and digits; a third letters, as rare ones must be learnt too."""
    return "".join(_pick(rng, LETTERS if rng.random() < 0.34 else DIGITS) for _ in range(count))


def _place(rng: Random) -> str:
    letter = "O" if rng.random() < LETTER_O_SHARE else _pick(rng, LETTERS)
    return _pick(rng, PROVINCES) + letter


def _ordinary(rng: Random, colour: str, layout: str) -> Number:
    return Number(_place(rng) + _serial(rng, 5), colour, layout)


def _green_small(rng: Random) -> Number:
    middle = _pick(rng, "DDDDDF" + NEW_ENERGY) + _serial(rng, 1)
    return Number(_place(rng) + middle + _digits(rng, 4), "green", "green_small")


def _green_large(rng: Random) -> Number:
    return Number(_place(rng) + _digits(rng, 5) + _pick(rng, NEW_ENERGY), "green", "green_large")


def _border(rng: Random) -> Number:
    return Number("粤Z" + _serial(rng, 4) + _pick(rng, "港澳"), "black", "one_row")


def _embassy(rng: Random) -> Number:
    if rng.random() < 0.7:
        return Number(_digits(rng, 6) + "使", "black", "embassy_new")
    return Number("使" + _digits(rng, 6), "black", "embassy_old")


def _consulate(rng: Random) -> Number:
    if rng.random() < 0.5:
        return Number(_pick(rng, PROVINCES) + _digits(rng, 5) + "领", "black", "police")
    return Number(_place(rng) + _digits(rng, 4) + "领", "black", "one_row")


def _armed_police(rng: Random) -> Number:
    province = _pick(rng, PROVINCES) if rng.random() < 0.6 else ""
    return Number("WJ" + province + _digits(rng, 4) + _pick(rng, DIGITS + "TDSHBXJ"), "white", "armed")


def _military(rng: Random) -> Number:
    return Number(_pick(rng, LETTERS) + _pick(rng, LETTERS) + _digits(rng, 5), "white", "military")


def _emergency(rng: Random) -> Number:
    middle = _pick(rng, "XS" + DIGITS) + _digits(rng, 4)
    return Number(_pick(rng, PROVINCES) + middle + "应急", "white", "emergency")


def _aviation(rng: Random) -> Number:
    return Number("民航" + _pick(rng, LETTERS) + _digits(rng, 4), "green", "aviation")


def _suffixed(rng: Random, suffix: str, colour: str, layout: str) -> Number:
    return Number(_place(rng) + _serial(rng, 4) + suffix, colour, layout)


# name: (share, maker). Shares are weights, not probabilities.
CLASSES: dict[str, tuple[float, Callable[[Random], Number]]] = {
    "blue": (38, lambda rng: _ordinary(rng, "blue", "one_row")),
    "yellow": (9, lambda rng: _ordinary(rng, "yellow", "one_row")),
    "yellow_rear": (8, lambda rng: _ordinary(rng, "yellow", "two_rows")),
    "green_small": (16, _green_small),
    "green_large": (5, _green_large),
    "learner": (2, lambda rng: _suffixed(rng, "学", "yellow", "one_row")),
    "trailer": (3, lambda rng: _suffixed(rng, "挂", "yellow", "two_rows")),
    "police": (4, lambda rng: _suffixed(rng, "警", "white", "police")),
    "border": (3, _border),
    "foreign": (2, lambda rng: _ordinary(rng, "black", "one_row")),
    "embassy": (2, _embassy),
    "consulate": (2, _consulate),
    "armed_police": (2, _armed_police),
    "military": (2, _military),
    "motorcycle_blue": (1, lambda rng: _ordinary(rng, "blue", "motorcycle")),
    "motorcycle": (1, lambda rng: _ordinary(rng, "yellow", "motorcycle")),
    "emergency": (1, _emergency),
    "aviation": (1, _aviation),
}


def invent(rng: Random, allowed: frozenset[str] | None = None) -> Number:
    """Draw a class by its share and invent a number of it; `allowed` names the classes to draw from."""
    names = [name for name in CLASSES if allowed is None or name in allowed]
    shares = np.array([CLASSES[name][0] for name in names])
    return CLASSES[names[int(rng.choice(len(names), p=shares / shares.sum()))]][1](rng)
