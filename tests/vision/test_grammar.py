"""Only what the plate rules allow is said, and every doubt lowers the confidence."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.plate_rules import BLACK, BLUE, GREEN, PLACES, PROVINCES, RULES, WHITE, YELLOW, classify
from gateway.types import Plate
from gateway.vision.ctc import Floats
from gateway.vision.grammar import Calibration, best

ALPHABET = PROVINCES + "学警港澳挂使领应急民航" + "0123456789" + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def lattice(text: str, **instead: tuple[str, float]) -> Floats:
    """A recogniser's output for a text: each character in a frame of its own, blanks between.

    `p3=("8", 0.4)` gives the character at place 3 a rival of that probability.
    """
    sure = 0.999
    prob = np.full((2 * len(text) + 1, len(ALPHABET) + 1), (1 - sure) / len(ALPHABET), np.float32)
    prob[0::2, 0] = sure
    for index, character in enumerate(text):
        prob[2 * index + 1, ALPHABET.index(character) + 1] = sure
    for place, (rival, share) in instead.items():
        frame = 2 * int(place[1:]) + 1
        prob[frame] *= 1 - share
        prob[frame, ALPHABET.index(rival) + 1] = share
    return prob


def seen(color: str, share: float = 0.95) -> dict[str, float]:
    others = [code for code in (BLACK, WHITE, BLUE, YELLOW, GREEN) if code != color]
    return {color: share, **{code: (1 - share) / len(others) for code in others}}


def read(text: str, color: str = "", **instead: tuple[str, float]) -> Plate:
    plate = best(lattice(text, **instead), ALPHABET, seen(color) if color else {})
    assert plate is not None
    return plate


@st.composite
def numbers(draw: st.DrawFn) -> tuple[str, str]:
    """A number of any class the alphabet can write, and a colour it may have."""
    writable = [rule for rule in RULES if rule.name != "special"]
    rule = draw(st.sampled_from(writable))
    form = draw(st.sampled_from(rule.forms))
    text = "".join(draw(st.sampled_from(PLACES.get(place, place))) for place in form)
    return text, draw(st.sampled_from(list(rule.codes)))


@given(numbers())
@settings(max_examples=150, deadline=None)
def test_a_clear_plate_of_any_class_is_read_as_it_is(case: tuple[str, str]) -> None:
    text, color = case
    plate = read(text, color)
    kind = classify(text, color)
    assert kind is not None
    assert (plate.number, plate.raw) == (text, text)
    assert (plate.plate_class, plate.plate_color) == (kind.plate_class, kind.plate_color)
    assert plate.confidence > 0.8
    assert len(plate.char_confidence) == len(text)
    assert not plate.corrected
    assert not plate.colour_mismatch


@pytest.mark.parametrize(
    ("text", "number", "corrected"),
    [
        ("鄂J1O345", "鄂J10345", True),
        ("鄂J1234I", "鄂J12341", True),
        ("粤O12345", "粤O12345", False),
        ("粤OO2345", "粤O02345", True),
        ("粤012345", "粤O12345", True),
        ("鄂J12345", "鄂J12345", False),
    ],
)
def test_letters_that_cannot_stand_in_the_serial_are_digits_and_that_is_said(
    text: str, number: str, corrected: bool
) -> None:
    plate = read(text, BLUE)
    assert (plate.number, plate.corrected, plate.raw) == (number, corrected, text)


def test_what_the_recogniser_said_is_kept_beside_what_the_grammar_allows() -> None:
    plate = read("鄂J12345", BLUE, p0=("8", 0.6))
    assert plate.number == "鄂J12345"
    assert plate.raw == "8J12345"
    assert plate.confidence < 0.5


def test_a_wrong_colour_cuts_the_confidence() -> None:
    for text, color in (("鄂AD12345", BLUE), ("鄂A12345", GREEN)):
        plate = read(text, color)
        assert plate.number == text
        assert plate.colour_mismatch
        assert plate.plate_color == color
        assert plate.confidence < 0.55


def test_the_colour_decides_between_two_forms_that_fit() -> None:
    ambiguous = {"p7": ("挂", 0.5)}
    assert read("鄂AD12345", GREEN).number == "鄂AD12345"
    assert read("鄂A12345", BLUE, p6=("挂", 0.5)).number == "鄂A12345"
    assert read("鄂A12345", YELLOW, p6=("警", 0.5)).number == "鄂A12345"
    assert read("鄂A12345", WHITE, p6=("警", 0.5)).number == "鄂A1234警"
    assert read("鄂AD12345", GREEN, **ambiguous).number == "鄂AD12345"


def test_wj_is_armed_police_and_other_letters_are_military_on_white_only() -> None:
    assert read("WJ12345", WHITE).plate_class == "31"
    assert read("VA12345", WHITE).plate_class == "32"
    plate = best(lattice("VA12345"), ALPHABET, seen(BLUE))
    assert plate is None or plate.confidence < 0.01


def test_a_third_letter_in_the_serial_lowers_the_confidence_only() -> None:
    two, three = read("鄂AAB123", BLUE), read("鄂AABC12", BLUE)
    assert three.number == "鄂AABC12"
    assert 0.8 < three.confidence < two.confidence


def test_a_city_may_name_its_own_new_energy_class() -> None:
    plate = best(lattice("鄂AD12345"), ALPHABET, seen(GREEN), nev_class="02")
    assert plate is not None
    assert (plate.plate_class, plate.plate_color) == ("02", GREEN)
    other = best(lattice("鄂A12345"), ALPHABET, seen(YELLOW), nev_class="02")
    assert other is not None
    assert other.plate_class == "01"


def test_two_rows_of_a_narrow_yellow_plate_are_a_motorcycle() -> None:
    plate = best(lattice("鄂A12345"), ALPHABET, seen(YELLOW), rows=2, narrow=True)
    assert plate is not None
    assert plate.plate_class == "07"


def test_an_unsure_colour_is_no_mismatch() -> None:
    plate = best(lattice("鄂AD12345"), ALPHABET, {BLUE: 0.4, GREEN: 0.3, WHITE: 0.2, YELLOW: 0.1, BLACK: 0.0})
    assert plate is not None
    assert not plate.colour_mismatch
    assert plate.plate_color == GREEN


def test_a_bleached_plate_is_no_mismatch() -> None:
    bleached = best(lattice("浙A03168"), ALPHABET, {WHITE: 0.98, YELLOW: 0.01, BLUE: 0.005, GREEN: 0.005, BLACK: 0.0})
    assert bleached is not None
    assert (bleached.plate_class, bleached.plate_color, bleached.colour_mismatch) == ("01", YELLOW, False)
    painted = best(lattice("鄂A1234警"), ALPHABET, seen(BLUE))
    assert painted is not None
    assert painted.colour_mismatch


def test_noise_and_nothing_are_no_plate() -> None:
    rng = np.random.default_rng(5)
    noise = rng.dirichlet(np.ones(len(ALPHABET) + 1), 42).astype(np.float32)
    plate = best(noise, ALPHABET, {})
    assert plate is None or plate.confidence < 0.01
    blank = np.zeros((42, len(ALPHABET) + 1), np.float32)
    blank[:, 0] = 1
    assert best(blank, ALPHABET, {}) is None


def test_the_confidence_is_the_probability_of_the_whole_number() -> None:
    plate = read("鄂J12345", BLUE, p3=("8", 0.2), p5=("B", 0.1))
    assert plate.confidence == pytest.approx(0.8 * 0.9, abs=0.03)
    assert plate.char_confidence[3] == pytest.approx(0.8, abs=0.02)


def test_calibration_moves_the_confidence_and_keeps_the_order() -> None:
    humble = Calibration(scale=0.5, offset=-0.5)
    values = [humble(value) for value in (0.0, 0.1, 0.5, 0.9, 1.0)]
    assert values == sorted(values)
    assert humble(0.9) < 0.9
    assert Calibration()(0.9) == pytest.approx(0.9)


def test_the_site_s_province_decides_only_in_doubt() -> None:
    def read_at(province: str | None, share: float) -> Plate:
        plate = best(lattice("皖A12345", p0=("鄂", share)), ALPHABET, {}, province=province)
        assert plate is not None
        return plate

    assert read_at(None, 0.4).number == "皖A12345"
    assert read_at("鄂", 0.4).number == "鄂A12345"
    assert read_at("鄂", 0.4).confidence > 0.9
    assert read_at("鄂", 0.4).raw == "皖A12345"  # what was read stays what was read
    assert read_at("鄂", 0.005).number == "皖A12345"  # a visitor
    assert read_at("皖", 0.4).confidence > read_at(None, 0.4).confidence
    assert read_at("鄂", 0.4).char_confidence[1:] == read_at(None, 0.4).char_confidence[1:]
    assert best(lattice("使12345A"), ALPHABET, {}, province="鄂") == best(lattice("使12345A"), ALPHABET, {})
