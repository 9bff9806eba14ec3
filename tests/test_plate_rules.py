"""The classes of plates, their order and their codes."""

from __future__ import annotations

import pytest

from gateway.plate_rules import BLACK, BLUE, GREEN, RULES, WHITE, YELLOW, classify, clean, fitting

CASES = [
    ("鄂J12345", BLUE, "ordinary", "02", BLUE),
    ("鄂J12345", YELLOW, "ordinary", "01", YELLOW),
    ("粤O12345", BLUE, "ordinary", "02", BLUE),
    ("鄂AD12345", GREEN, "new_energy_small", "52", GREEN),
    ("鄂A12345D", GREEN, "new_energy_large", "51", GREEN),
    ("鄂A12345D", YELLOW, "new_energy_large", "51", GREEN),  # yellow-green seen as yellow
    ("鄂A1234挂", YELLOW, "trailer", "15", YELLOW),
    ("鄂A1234学", YELLOW, "learner", "16", YELLOW),
    ("鄂A1234警", WHITE, "police", "23", WHITE),
    ("粤Z1234港", BLACK, "hong_kong", "26", BLACK),
    ("粤ZAB12澳", BLACK, "macao", "27", BLACK),
    ("粤A1234港", BLACK, None, "", ""),
    ("123456使", BLACK, "embassy", "03", BLACK),
    ("使123456", BLACK, "embassy", "03", BLACK),
    ("沪12345领", BLACK, "consulate", "04", BLACK),
    ("沪A1234领", BLACK, "consulate", "04", BLACK),
    ("WJ12345", WHITE, "armed_police", "31", WHITE),
    ("WJ鄂1234T", WHITE, "armed_police", "31", WHITE),
    ("AB12345", WHITE, "military", "32", WHITE),
    ("AB12345", BLUE, None, "", ""),
    ("京X1234应急", WHITE, "emergency", "99", WHITE),
    ("京12345应急", WHITE, "emergency", "99", WHITE),
    ("民航A1234", GREEN, "aviation", "99", GREEN),
    ("鄂A1234超", YELLOW, "special", "99", YELLOW),
    ("鄂I12345", BLUE, None, "", ""),
    ("鄂A1234O", BLUE, None, "", ""),
    ("", "", None, "", ""),
    ("鄂" * 5000, "", None, "", ""),
]


@pytest.mark.parametrize(("number", "color", "name", "plate_class", "plate_color"), CASES)
def test_each_class_has_its_codes(
    number: str, color: str, name: str | None, plate_class: str, plate_color: str
) -> None:
    kind = classify(number, color)
    if name is None:
        assert kind is None
        return
    assert kind is not None
    assert (kind.name, kind.plate_class, kind.plate_color, kind.colour_mismatch) == (
        name,
        plate_class,
        plate_color,
        False,
    )


def test_wj_is_armed_police_before_it_is_military() -> None:
    names = [rule.name for rule in RULES]
    assert names.index("armed_police") < names.index("military")
    kind = classify("WJ12345")
    assert kind is not None
    assert kind.plate_class == "31"


def test_all_rules_that_a_number_fits_are_named_in_their_order() -> None:
    assert [rule.name for rule in fitting("WJ12345")] == ["armed_police", "military"]
    assert not list(fitting("鄂J1234"))
    assert not list(fitting("鄂J12345" * 9))


@pytest.mark.parametrize(("number", "color"), [("鄂AD12345", BLUE), ("鄂A12345", GREEN), ("鄂A1234警", BLUE)])
def test_the_wrong_colour_is_said(number: str, color: str) -> None:
    kind = classify(number, color)
    assert kind is not None
    assert kind.colour_mismatch
    assert kind.plate_color == color


def test_two_rows_of_blue_are_a_motorcycle_and_yellow_only_when_narrow() -> None:
    def code(color: str, *, narrow: bool) -> str:
        kind = classify("鄂A12345", color, rows=2, narrow=narrow)
        assert kind is not None
        return kind.plate_class

    assert code(BLUE, narrow=True) == "08"
    assert code(YELLOW, narrow=True) == "07"
    assert code(YELLOW, narrow=False) == "01"


@pytest.mark.parametrize("text", ["鄂j·12345", " 鄂J 123-45", "鄂Ｊ１２３４５", "鄂J.12345\n"])
def test_separators_wide_and_small_letters_are_folded(text: str) -> None:
    assert clean(text) == "鄂J12345"
