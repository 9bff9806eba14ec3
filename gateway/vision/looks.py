"""One look at one picture: all models of a recogniser behind one call.

Rule: a recogniser is imported when it is built and not before, so a site without faces runs no line of face code, and
nothing but this module chooses models.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import ceil, floor
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

import cv2
import numpy as np

from gateway.errors import ModelError
from gateway.settings import Settings
from gateway.types import Box, Frame
from gateway.vision.catalogue import find, model_dirs
from gateway.vision.providers import prefer
from gateway.vision.shots import quality
from gateway.vision.sightings import FaceMatch, FaceSighting, PlateSighting, moved

if TYPE_CHECKING:
    from gateway.types import Image
    from gateway.vision.gallery import Match
    from gateway.vision.liveness import Liveness

Recogniser = Literal["plate", "face"]
_AIR: Final = 0.15  # of the picture's sides, around a region of interest
_FACE_WIDTH: Final = 1280  # faces are looked for in a picture no wider than this, and embedded from the original


class Look(Protocol):
    """What a recogniser finds in a picture."""

    def __call__(self, frame: Frame) -> Sequence[Any]:
        """Sightings in pixels of the frame. Raises `ModelError` where the model is of no use any more."""


Build = Callable[[Recogniser, Settings], Look]


def build(recogniser: Recogniser, settings: Settings) -> Look:
    """Load the models of a recogniser; takes seconds. Raises `ModelError` or `StoreError`."""
    cv2.setNumThreads(1)  # leave the cores to the doors
    prefer(settings.vision.providers)
    return _plate_look(settings) if recogniser == "plate" else _face_look(settings)


def _plate_look(settings: Settings) -> Look:
    from gateway.vision.recogniser import open_recogniser

    recogniser = open_recogniser(model_dirs(settings.gateway.data_dir), settings.plate)

    def look(frame: Frame) -> list[PlateSighting]:
        still = frame.source is not None  # it has no next frame
        thorough = still or frame.thorough
        found = recogniser.recognise(frame.pixels, small=frame.small, thorough=thorough, doubts=frame.doubts)
        return [
            PlateSighting(one.box, frame.stamp, plate, quality(frame.pixels, one.box, plate.confidence))
            for one, plate in found
        ]

    return look


def _face_look(settings: Settings) -> Look:
    if not settings.face.enabled:
        raise ModelError("face recognition is not enabled", hint="see [face] in the configuration")
    from gateway.faces import FILE_NAME, FaceStore
    from gateway.keys import Keys
    from gateway.vision.enrolled import Enrolled
    from gateway.vision.faces import Face, FaceFinder, open_embedder
    from gateway.vision.liveness import open_liveness

    dirs = model_dirs(settings.gateway.data_dir)
    finder = FaceFinder(find(settings.face.detector, dirs), min_face=settings.face.min_face)
    embedder = open_embedder(find(settings.face.model, dirs))
    assurance = embedder.model.card.assurance or "low"
    liveness = open_liveness(find(settings.face.liveness, dirs)) if settings.face.liveness else None
    store = FaceStore(settings.gateway.data_dir / FILE_NAME, Keys(settings.gateway.data_dir).face_key)
    enrolled = Enrolled(store, embedder.model)

    def look(frame: Frame) -> list[FaceSighting]:
        gallery = enrolled.gallery()
        small, scale = _at_most(frame.pixels, _FACE_WIDTH)
        sightings = []
        for face in finder.detect(small):
            box = Box(*(side / scale for side in (face.box.left, face.box.top, face.box.right, face.box.bottom)))
            original = Face(box, face.score, np.asarray(face.points / scale, np.float32))
            found = gallery.match(embedder.embed(frame.pixels, original)) if len(gallery) else None
            score = liveness.score(frame.pixels, box) if found and liveness else None
            sightings.append(_judged(FaceSighting(box, frame.stamp, _accepted(found, assurance)), score, liveness))
        return sightings

    return look


def _accepted(match: Match | None, assurance: str) -> FaceMatch | None:
    if match is None:
        return None
    return FaceMatch(
        subject=match.subject,
        similarity=match.similarity,
        threshold=match.similarity_threshold,
        gallery_size=match.gallery_size,
        assurance=assurance,
        liveness="none",
    )


def _judged(sighting: FaceSighting, score: float | None, liveness: Liveness | None) -> FaceSighting:
    """The sighting with what the liveness model said of it; asked this way round, a score that is no number is none."""
    if sighting.match is None or score is None or liveness is None:
        return sighting
    if not score >= liveness.threshold:
        return replace(sighting, match=None, lives=False)
    return replace(sighting, match=replace(sighting.match, liveness=f"passive:{liveness.name}:{score:.2f}"))


def _at_most(image: Image, width: int) -> tuple[Image, float]:
    if image.shape[1] <= width:
        return image, 1.0
    scale = width / image.shape[1]
    small = cv2.resize(image, (width, max(1, round(image.shape[0] * scale))), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8), scale


def inside(box: Box, roi: Sequence[tuple[float, float]], width: int, height: int) -> bool:
    """Whether the centre of a box lies in a polygon given in shares of the picture. No polygon: everywhere."""
    if len(roi) < 3:
        return True
    x, y = (box.left + box.right) / 2 / width, (box.top + box.bottom) / 2 / height
    crossings = 0
    for (x0, y0), (x1, y1) in zip(roi, [*roi[1:], roi[0]], strict=True):
        if (y0 > y) != (y1 > y) and x < x0 + (y - y0) / (y1 - y0) * (x1 - x0):
            crossings += 1
    return crossings % 2 == 1


def look_near(roi: Sequence[tuple[float, float]], look: Look, frame: Frame) -> Sequence[Any]:
    """What a look finds in and around that polygon, in pixels of the whole frame.

    For plates: cars parked elsewhere cost no time, and what is in the region is found better, since it fills more of
    what the detector sees (docs/decisions/0009). A face is judged with all that surrounds it, so not for faces.
    """
    if len(roi) < 3:
        return look(frame)
    height, width = frame.pixels.shape[:2]
    left, right = _span([x for x, _ in roi], width)
    top, bottom = _span([y for _, y in roi], height)
    doubts = tuple(moved(box, -left, -top) for box in frame.doubts)
    found = look(replace(frame, pixels=frame.pixels[top:bottom, left:right], small=None, doubts=doubts))
    return [replace(one, box=moved(one.box, left, top)) for one in found]


def _span(shares: Sequence[float], size: int) -> tuple[int, int]:
    """From which pixel to which, with some air, since what is centred in the region may reach out of it."""
    return max(0, floor(size * (min(shares) - _AIR))), min(size, ceil(size * (max(shares) + _AIR)))
