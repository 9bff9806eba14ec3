"""Many looks at one plate become one number: what frames disagree about, and what no agreement may mend."""

from __future__ import annotations

import pytest

from gateway.plate_rules import BLUE
from gateway.types import Plate
from gateway.vision.voting import vote


def plate(number: str, confidence: float, chars: tuple[float, ...] | None = None, **changes: bool) -> Plate:
    return Plate(number, number, "02", BLUE, confidence, chars or (confidence,) * len(number), **changes)


def test_frames_that_agree_raise_the_confidence_and_one_that_differs_lowers_it() -> None:
    agreed = vote([plate("鄂J12345", 0.8)] * 3)
    assert agreed is not None
    assert agreed.number == "鄂J12345"
    assert agreed.confidence > 0.9
    split = vote([plate("鄂J12345", 0.8)] * 2 + [plate("鄂J12346", 0.8)])
    assert split is not None
    assert split.number == "鄂J12345"
    assert split.confidence < agreed.confidence


def test_each_character_is_voted_by_itself() -> None:
    frames = [
        plate("鄂J12345", 0.6, (0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.3)),
        plate("鄂J72346", 0.6, (0.9, 0.9, 0.3, 0.9, 0.9, 0.9, 0.9)),
        plate("鄂J18346", 0.6, (0.9, 0.9, 0.9, 0.3, 0.9, 0.9, 0.9)),
    ]
    elected = vote(frames)
    assert elected is not None
    assert elected.number == "鄂J12346"
    assert elected.confidence <= 0.6  # no frame showed it whole


def test_a_single_frame_keeps_its_confidence_and_none_is_nothing() -> None:
    alone = vote([plate("鄂J12345", 0.7)])
    assert alone is not None
    assert alone.confidence == pytest.approx(0.7)
    assert vote([]) is None


def test_agreement_cannot_outvote_a_wrong_colour() -> None:
    voted = vote([plate("鄂A12345", 0.5, colour_mismatch=True)] * 5)
    assert voted is not None
    assert voted.confidence <= 0.5


def test_unsure_frames_cannot_take_away_what_sure_ones_show() -> None:
    sure = [plate("鄂A12345", 0.95)] * 3
    voted = vote([*sure, plate("鄂A12845", 0.55), plate("鄂A1Z345", 0.5), plate("鄂B12345", 0.4)])
    assert voted is not None
    assert voted.number == "鄂A12345"
    assert voted.confidence > 0.9


def test_a_province_that_half_of_the_frames_doubt_is_decided_by_the_surer_half() -> None:
    chars = (0.75, *(0.99,) * 6)
    voted = vote(
        [
            *[plate("贵A12345", 0.72, chars)] * 4,
            *[plate("浙A12345", 0.95)] * 6,
        ]
    )
    assert voted is not None
    assert voted.number == "浙A12345"
    assert voted.char_confidence[0] < min(voted.char_confidence[1:])
    assert voted.confidence > 0.85


def test_frames_that_are_split_evenly_stay_in_doubt() -> None:
    voted = vote([plate("鄂A12345", 0.9)] * 4 + [plate("鄂A12346", 0.9)] * 4)
    assert voted is not None
    assert voted.confidence <= 0.5


def test_an_odd_serial_is_no_doubt_about_its_characters_but_stays_one_about_the_plate() -> None:
    frames = [plate("皖ABCD66", 0.88)] * 8
    voted = vote(frames)
    assert voted is not None
    assert voted.confidence == pytest.approx(0.9, abs=0.01)


def test_a_wrong_colour_in_a_few_frames_is_the_light_and_not_the_plate() -> None:
    voted = vote([plate("鄂A12345", 0.9)] * 5 + [plate("鄂A12345", 0.45, colour_mismatch=True)] * 2)
    assert voted is not None
    assert not voted.colour_mismatch
    assert voted.confidence > 0.9


def test_a_number_cut_off_in_half_of_the_frames_is_in_doubt() -> None:
    whole, cut = plate("鄂AD12345", 0.9), plate("鄂AD1234", 0.9)
    voted = vote([whole] * 3 + [cut] * 3)
    assert voted is not None
    assert voted.confidence < 0.6


def test_characters_that_make_no_number_together_give_the_best_frame_and_its_doubt() -> None:
    frames = [
        Plate("鄂A12345", "", "02", BLUE, 0.5, (0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.5)),
        Plate("WJ鄂1234T", "", "31", "2", 0.4, (0.6,) * 8),
        Plate("122345使", "", "03", "1", 0.5, (0.9,) * 6 + (0.5,)),
    ]
    voted = vote(frames)
    assert voted is not None
    assert voted.number in {frame.number for frame in frames}
    assert voted.confidence <= 0.5


def test_frames_that_differ_from_one_another_do_not_unsay_a_number_that_others_show() -> None:
    def province(character: str, confidence: float) -> Plate:
        return plate(f"{character}K11978", confidence, (confidence, *[0.99] * 6))

    voted = vote([*(province(other, 0.3) for other in "云甘辽陕浙"), province("赣", 0.9), province("赣", 0.55)])
    assert voted is not None
    assert voted.number == "赣K11978"
    assert 0.3 < voted.confidence < 0.85  # somebody must look, and the barrier stays down
