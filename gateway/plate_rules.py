"""Licence plates as text: their classes, the colours each class is painted in, and the GA/T 1400 codes.

Rule: the first rule that fits decides, in the order written here (`WJ12345` is armed police before it is military).
Mapped from GA 36 as publicly implemented. Pure text, so the door process may import it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

PROVINCES = "京津冀晋蒙辽吉黑沪苏浙皖闽赣鲁豫鄂湘粤桂琼渝川贵云藏陕甘青宁新"
LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"  # no I, no O
DIGITS = "0123456789"
# What may stand in one place of a form; every other character of a form stands for itself.
PLACES: Mapping[str, str] = {
    "p": PROVINCES,
    "l": LETTERS + "O",  # the second place alone may bear a letter O (粤O…)
    "s": LETTERS + DIGITS,
    "d": DIGITS,
    "a": LETTERS,
    "n": "ABCDEFGHJK",  # new energy: A–E pure electric, F–K other
    "x": "XS" + DIGITS,
    "j": DIGITS + "TDSHBXJ",
}
BLACK, WHITE, BLUE, YELLOW, GREEN = "1", "2", "5", "6", "9"  # GA/T 1400 PlateColor
OTHER_CLASS = "99"
MOTORCYCLE = {YELLOW: "07", BLUE: "08"}
LONGEST = 12  # characters of text worth looking at


@dataclass(frozen=True, slots=True)
class Rule:
    """One class: its forms in the letters of PLACES, and the PlateClass for each PlateColor; the usual one first."""

    name: str
    forms: tuple[str, ...]
    codes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class PlateKind:
    """What a number is. `colour_mismatch`: the colour that was seen is not one of this class."""

    name: str
    plate_class: str
    plate_color: str
    colour_mismatch: bool = False


# Domain's order: emergency, new energy, suffixes, 粤Z, embassy and consulate, WJ, ordinary, military. The suffixes
# 港 and 澳 follow 粤Z only. A yellow-green plate (new energy, large) is often seen as yellow.
RULES: tuple[Rule, ...] = (
    Rule("emergency", ("pxdddd应急",), {WHITE: OTHER_CLASS}),
    Rule("new_energy_small", ("plnsdddd",), {GREEN: "52"}),
    Rule("new_energy_large", ("pldddddn",), {GREEN: "51", YELLOW: "51"}),
    Rule("trailer", ("plssss挂",), {YELLOW: "15"}),
    Rule("learner", ("plssss学",), {YELLOW: "16"}),
    Rule("police", ("plssss警",), {WHITE: "23"}),
    Rule("hong_kong", ("粤Zssss港",), {BLACK: "26"}),
    Rule("macao", ("粤Zssss澳",), {BLACK: "27"}),
    Rule("embassy", ("dddddd使", "使dddddd"), {BLACK: "03"}),
    Rule("consulate", ("pddddd领", "pldddd领"), {BLACK: "04"}),
    Rule("armed_police", ("WJpddddj", "WJddddj"), {WHITE: "31"}),
    Rule("ordinary", ("plsssss",), {BLUE: "02", YELLOW: "01", BLACK: OTHER_CLASS}),
    Rule("aviation", ("民航adddd",), {GREEN: OTHER_CLASS}),
    Rule("special", ("plssss试", "plssss超"), {YELLOW: OTHER_CLASS, BLUE: OTHER_CLASS}),
    Rule("military", ("aaddddd",), {WHITE: "32"}),
)
_WHITE_ONLY = "military"  # two letters and five digits mean nothing on another colour


def written(form: str, between: str = "") -> str:
    """The regular expression of a form; `between` is one of what may stand between its characters."""
    return between.join(f"[{PLACES.get(place, place)}]" for place in form)


def _pattern(rule: Rule) -> re.Pattern[str]:
    return re.compile("|".join(map(written, rule.forms)))


_PATTERNS = {rule.name: _pattern(rule) for rule in RULES}


def clean(text: str) -> str:
    """Remove what only separates (· . space -), write wide and small letters plainly: `鄂j·12345` -> `鄂J12345`."""
    plain = unicodedata.normalize("NFKC", text[: 4 * LONGEST]).upper()
    return re.sub(r"[\s·•・.\-]", "", plain)


def classify(number: str, color: str = "", *, rows: int = 1, narrow: bool = False) -> PlateKind | None:
    """Name the class of a cleaned number; None where no rule fits.

    `color` is the PlateColor that was seen ("" where nobody looked), `rows` the rows of characters seen, `narrow`
    whether the plate has a motorcycle's proportions (220 x 140 mm).
    """
    for rule in fitting(number):
        if rule.name != _WHITE_ONLY or color in ("", WHITE):
            return kind_of(rule, color, rows=rows, narrow=narrow)
    return None


def fitting(number: str) -> Iterator[Rule]:
    """The rules that a cleaned number fits, in their order."""
    if len(number) <= LONGEST:
        yield from (rule for rule in RULES if _PATTERNS[rule.name].fullmatch(number))


def kind_of(rule: Rule, color: str, *, rows: int = 1, narrow: bool = False) -> PlateKind:
    """The codes of a plate of this rule that was seen in this colour."""
    usual = next(iter(rule.codes))
    seen = color or usual
    code = rule.codes.get(seen, rule.codes[usual])
    if rule.name == "ordinary" and rows == 2 and (seen == BLUE or (seen == YELLOW and narrow)):
        code = MOTORCYCLE[seen]
    fits = seen in rule.codes
    if rule.name == "new_energy_large" and fits:
        seen = GREEN  # yellow-green is 9
    return PlateKind(rule.name, code, seen, colour_mismatch=not fits)


def apart(one: str, other: str) -> int:
    """Edit distance: how many characters must change, go or come."""
    row = list(range(len(other) + 1))
    for at, character in enumerate(one, 1):
        before, row[0] = row[0], at
        for column, opposite in enumerate(other, 1):
            before, row[column] = (
                row[column],
                min(row[column] + 1, row[column - 1] + 1, before + (character != opposite)),
            )
    return row[-1]
