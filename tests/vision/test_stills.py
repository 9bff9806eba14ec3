"""Each still is a passage of its own, and what it gives has the same origin after every restart."""

from __future__ import annotations

import numpy as np
import pytest

from gateway.clock import now
from gateway.privacy import refuse_face_data
from gateway.text import printable
from gateway.types import Box, Frame, Plate
from gateway.vision.sightings import FaceMatch, FaceSighting, PlateSighting
from gateway.vision.stills import faces_of, plates_of

PIXELS = np.zeros((8, 8, 3), np.uint8)


def still(name: str = "a.jpg") -> Frame:
    return Frame(PIXELS, now(), source=name, origin=f"{name}/10/20")


def sighting(number: str, confidence: float) -> PlateSighting:
    plate = Plate(number, number, "02", "5", confidence, (confidence,) * 7)
    return PlateSighting(Box(0, 0, 4, 2), now(), plate)


def test_every_plate_of_a_picture_is_one_observation_the_surest_first() -> None:
    seen = plates_of(still(), [sighting("鄂A11111", 0.6), sighting("鄂B22222", 0.9)], "gate", "cam")
    assert [(one.plate.number if one.plate else "", one.origin) for one in seen] == [
        ("鄂B22222", "cam/a.jpg/10/20/0"),
        ("鄂A11111", "cam/a.jpg/10/20/1"),
    ]
    assert {one.source_file for one in seen} == {"a.jpg"}
    assert [one.reads for one in seen] == [1, 1]


def test_a_plate_found_twice_in_a_picture_is_one() -> None:
    assert len(plates_of(still(), [sighting("鄂A11111", 0.6), sighting("鄂A11111", 0.9)], "gate", "cam")) == 1


def test_a_picture_without_a_readable_plate_says_so() -> None:
    for sightings in ([], [sighting("鄂A11111", 0.01)]):
        (seen,) = plates_of(still(), sightings, "gate", "cam")
        assert (seen.plate, seen.reads, seen.origin) == (None, 0, "cam/a.jpg/10/20/0")


def test_strangers_on_a_picture_give_nothing_and_a_holder_one_observation() -> None:
    def face(subject: str | None, similarity: float = 0.6) -> FaceSighting:
        match = FaceMatch(subject, similarity, 0.55, 5, "low", "none") if subject else None
        return FaceSighting(Box(0, 0, 4, 4), now(), match)

    assert faces_of(still(), [face(None)], "door", "cam") == []
    seen = faces_of(still(), [face("h:1", 0.6), face(None), face("h:1", 0.8)], "door", "cam")
    assert [(one.subject, one.similarity, one.source_file) for one in seen] == [("h:1", 0.8, "a.jpg")]


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ("车.jpg".encode(), "车.jpg"),
        ("鄂J12345.jpg".encode("gbk"), "鄂J12345.jpg"),
        (b"\xb3.jpg", "\\udcb3.jpg"),
        (b"\xb4.jpg", "\\udcb4.jpg"),
    ],
)
def test_a_name_of_any_bytes_is_text_and_stays_distinct(raw: bytes, name: str) -> None:
    assert printable(raw.decode("utf-8", "surrogateescape")) == name


@pytest.mark.parametrize(
    "name", ["A" * 140 + ".jpg", "data:image-jpeg.jpg", "iVBORw0KGgo-longer-than-twenty.jpg", "车" * 80]
)
def test_no_name_of_a_picture_costs_its_event(name: str) -> None:
    (one,) = plates_of(still(name), [sighting("鄂A11111", 0.9)], "gate", "cam")
    (other,) = plates_of(still(name[:-1] + "B"), [sighting("鄂A11111", 0.9)], "gate", "cam")
    refuse_face_data({"source_file": one.source_file, "origin": one.origin})
    assert one.origin != other.origin
    assert one.source_file
