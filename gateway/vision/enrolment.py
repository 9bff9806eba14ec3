"""Whether a photo may become a template: one face, large, sharp, from the front, well lit. Every refusal has its fix.

The rule: nothing is judged without saying photo, measured value, what is needed and what to do. 60 pixels between the
eyes keep thumbnails out by default; the operator may allow less, since recognition did not get worse down to 20 on 185
labelled photos. The other bounds were set so that those photos pass.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import cv2
import numpy as np

from gateway.text import Text
from gateway.vision.faces import Embedder, Face, FaceFinder, Vector

if TYPE_CHECKING:
    from gateway.types import Image

_LONGEST = 1600  # pixels of a side


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a photo needs. Pairs are (refuse, warn)."""

    eyes: tuple[float, float] = (60.0, 60.0)  # pixels between the eyes, at least
    sharpness: tuple[float, float] = (8.0, 20.0)  # per mille, at least: see `sharpness`
    turn: tuple[float, float] = (0.45, 0.30)  # nose beside the middle of the eyes, in eye distances, at most
    roll: tuple[float, float] = (40.0, 25.0)  # degrees the eye line slopes, at most
    nod: tuple[float, float] = (0.22, 0.90)  # nose between eyes (0) and mouth (1): refused outside
    light: tuple[float, float] = (55.0, 215.0)  # mean grey of the face: refused outside
    contrast: float = 14.0  # standard deviation of grey, at least
    other_face: float = 0.6  # side of a second face against the first, above which nobody knows who is meant
    other_score: float = 0.97  # below it a second face is a pattern in the background more often than a face
    same_person: float = 0.6  # distance between photos of one person, at most


@dataclass(frozen=True, slots=True, eq=False)
class Portrait:
    """One judged photo. It may be enrolled where `refusals` is empty; `vector` is never printed."""

    photo: str
    eyes: float = 0.0
    refusals: list[Text] = field(default_factory=list)
    warnings: list[Text] = field(default_factory=list)
    vector: Vector | None = field(default=None, repr=False)


class Gate:
    """Judges photos one after another. Used by one thread."""

    def __init__(self, finder: FaceFinder, embedder: Embedder, bounds: Bounds) -> None:
        self._finder, self._embedder, self._bounds = finder, embedder, bounds

    def judge(self, photo: str, image: Image) -> Portrait:
        """Measure one BGR photo; `photo` names it in sentences."""
        image = _at_most(image)
        faces = self._finder.detect(image)
        if not faces:
            return Portrait(photo, refusals=[_NO_FACE.with_(photo=photo)])
        face = faces[0]
        portrait = Portrait(photo, face.eyes, vector=self._embedder.embed(image, face))
        self._count(portrait, faces)
        _least(portrait, _EYES, face.eyes, self._bounds.eyes, digits=0)
        self._pose(portrait, face)
        self._picture(portrait, self._embedder.chip(image, face))
        return portrait

    def compare(self, portraits: Sequence[Portrait]) -> None:
        """Refuse a photo that is far from all the others: it shows somebody else."""
        for portrait in portraits:
            others = [other.vector for other in portraits if other is not portrait and other.vector is not None]
            if portrait.vector is None or not others:
                continue
            nearest = min(float(np.linalg.norm(portrait.vector - other)) for other in others)
            need = self._bounds.same_person
            if nearest > need:
                portrait.refusals.append(_SOMEONE_ELSE.with_(photo=portrait.photo, found=f"{nearest:.2f}", need=need))

    def _count(self, portrait: Portrait, faces: Sequence[Face]) -> None:
        bounds, width = self._bounds, self._bounds.other_face * faces[0].box.width
        others = [face for face in faces[1:] if face.box.width >= width and face.score >= bounds.other_score]
        if others:
            portrait.refusals.append(_MANY_FACES.with_(photo=portrait.photo, found=1 + len(others)))
        elif len(faces) > 1:
            portrait.warnings.append(_SMALL_FACES.with_(photo=portrait.photo, found=len(faces)))

    def _pose(self, portrait: Portrait, face: Face) -> None:
        turn, roll, nod = pose(face)
        _most(portrait, _TURN, turn, self._bounds.turn, digits=2)
        _most(portrait, _ROLL, roll, self._bounds.roll, digits=0)
        low, high = self._bounds.nod
        if not low <= nod <= high:
            portrait.refusals.append(_NOD.with_(photo=portrait.photo, found=f"{nod:.2f}", low=low, high=high))

    def _picture(self, portrait: Portrait, chip: Image) -> None:
        grey = _inner_face(chip)
        _least(portrait, _BLUR, sharpness(chip), self._bounds.sharpness, digits=0)
        light, (dark, bright) = float(grey.mean()), self._bounds.light
        if not dark <= light <= bright:
            sentence = _DARK if light < dark else _BRIGHT
            need = dark if light < dark else bright
            portrait.refusals.append(sentence.with_(photo=portrait.photo, found=round(light), need=round(need)))
        contrast = float(grey.std())
        if contrast < self._bounds.contrast:
            portrait.refusals.append(
                _FLAT.with_(photo=portrait.photo, found=round(contrast), need=round(self._bounds.contrast))
            )


def _at_most(image: Image) -> Image:
    """A photo of a phone, made smaller: a face that fills a third of it still has more pixels than the net uses."""
    scale = _LONGEST / max(image.shape[:2])
    if scale >= 1:
        return image
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def pose(face: Face) -> tuple[float, float, float]:
    """Turn (nose beside the middle of the eyes, in eye distances), roll (degrees), nod (nose from eyes to mouth)."""
    left, right, nose = face.points[:3]
    mouth = (face.points[3] + face.points[4]) / 2
    across = (right - left) / max(face.eyes, 1e-6)
    down = np.array([-across[1], across[0]])
    middle = (left + right) / 2
    length = float((mouth - middle) @ down)
    nod = float((nose - middle) @ down) / length if length > 1e-6 else 0.0
    return (
        abs(float((nose - middle) @ across)) / max(face.eyes, 1e-6),
        abs(math.degrees(math.atan2(across[1], across[0]))),
        nod,
    )


def sharpness(chip: Image) -> float:
    """Variance of the Laplacian over the variance of the grey, per mille: blur of any origin lowers it."""
    grey = _inner_face(chip)
    return 1000 * float(cv2.Laplacian(grey, cv2.CV_32F).var()) / max(float(grey.var()), 1.0)


def _inner_face(chip: Image) -> Image:
    """Grey, without the margin that may show hair, background or what lies outside the photo."""
    grey: Image = cv2.cvtColor(chip, cv2.COLOR_BGR2GRAY)  # type: ignore[assignment]
    height, width = grey.shape
    return grey[height * 2 // 15 : height * 14 // 15, width // 6 : width * 5 // 6]


def _least(portrait: Portrait, sentence: Text, found: float, bounds: tuple[float, float], digits: int) -> None:
    refuse, warn = bounds
    if found < max(refuse, warn):
        to, need = (portrait.refusals, refuse) if found < refuse else (portrait.warnings, warn)
        to.append(sentence.with_(photo=portrait.photo, found=f"{found:.{digits}f}", need=f"{need:.{digits}f}"))


def _most(portrait: Portrait, sentence: Text, found: float, bounds: tuple[float, float], digits: int) -> None:
    refuse, warn = bounds
    if found > min(refuse, warn):
        to, need = (portrait.refusals, refuse) if found > refuse else (portrait.warnings, warn)
        to.append(sentence.with_(photo=portrait.photo, found=f"{found:.{digits}f}", need=f"{need:.{digits}f}"))


_NO_FACE = Text(
    "{photo}：没有找到人脸（0 张，需要 1 张）；请用正面、无遮挡、脸占画面三分之一以上的照片",
    "{photo}: no face found (0, need 1); take a frontal photo, uncovered, the face filling a third of it",
)
_MANY_FACES = Text(
    "{photo}：有 {found} 张大小相近的人脸，需要 1 张；请裁剪到只剩本人",
    "{photo}: {found} faces of similar size, need 1; crop the photo to the person meant",
)
_SMALL_FACES = Text(
    "{photo}：共有 {found} 张人脸，取了最大的一张（应为 1 张）；最好裁剪到只剩本人",
    "{photo}: {found} faces, the largest was taken (1 is best); better crop the photo to the person meant",
)
_EYES = Text(
    "{photo}：两眼间距 {found} 像素，应不少于 {need}；请靠近拍摄或使用更大的原图，确无更好照片时可用 --min-eyes 放宽",
    "{photo}: {found} pixels between the eyes, should be at least {need}; come closer, use the larger original, or "
    "allow less with --min-eyes where there is none",
)
_TURN = Text(
    "{photo}：脸偏向一侧，偏移 {found}，应不超过 {need}；请正对镜头",
    "{photo}: the face is turned aside by {found}, should be at most {need}; look straight into the camera",
)
_ROLL = Text(
    "{photo}：头部倾斜 {found}°，应不超过 {need}°；请把头摆正",
    "{photo}: the head is tilted by {found} degrees, should be at most {need}; hold it upright",
)
_NOD = Text(
    "{photo}：抬头或低头过多，鼻位 {found}，应在 {low}–{high}；请平视镜头",
    "{photo}: looking up or down, nose at {found}, should be {low} to {high}; look level into the camera",
)
_BLUR = Text(
    "{photo}：清晰度 {found}，应不低于 {need}；请对焦、擦净镜头或换一张",
    "{photo}: sharpness {found}, should be at least {need}; focus, clean the lens or use another photo",
)
_DARK = Text(
    "{photo}：脸部太暗，亮度 {found}，应不低于 {need}；请面向光源拍摄",
    "{photo}: the face is too dark, brightness {found}, should be at least {need}; face the light",
)
_BRIGHT = Text(
    "{photo}：脸部过曝，亮度 {found}，应不高于 {need}；请避开强光或降低曝光",
    "{photo}: the face is overexposed, brightness {found}, should be at most {need}; avoid strong light",
)
_FLAT = Text(
    "{photo}：对比度 {found}，应不低于 {need}；请去除雾、反光或遮挡后重拍",
    "{photo}: contrast {found}, should be at least {need}; take it again without haze, glare or covering",
)
_SOMEONE_ELSE = Text(
    "{photo}：与其他照片差异 {found}，应不超过 {need}，可能不是同一人；请去掉这张",
    "{photo}: differs from the other photos by {found}, should be at most {need}: another person? leave it out",
)
