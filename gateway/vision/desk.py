"""The enrolment desk: photos in, vectors out, or every reason why not, all at once.

The rule: all photos are good or none is used; who looks like somebody else who is enrolled is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from gateway.errors import Rejected
from gateway.faces import FaceStore, ModelId
from gateway.settings import Settings
from gateway.text import Language, Text
from gateway.vision.catalogue import find, model_dirs
from gateway.vision.enrolled import identity, rule_of
from gateway.vision.enrolment import Bounds, Gate, Portrait
from gateway.vision.faces import FaceFinder, open_embedder
from gateway.vision.gallery import Gallery, Rule
from gateway.vision.images import read_image

_PHOTOS_DIFFER = 0.15  # by how much photos of one person may be farther apart than a match
_LEAST_FACE = 40  # pixels: photos may be thumbnails, and no frame waits for this


class EnrolmentDesk:
    """Judges the photos of one person after another against everyone enrolled with the same model."""

    def __init__(self, gate: Gate, store: FaceStore, model: ModelId, rule: Rule) -> None:
        self._gate, self._store, self._rule = gate, store, rule
        self.model = model

    def judge(
        self,
        subject: str,
        photos: Sequence[Path],
        *,
        tell: Callable[[Text], None],
        allow_similar: bool = False,
        names: Mapping[str, str] | None = None,
    ) -> list[list[float]]:
        """One vector per photo. Raises `PhotosRefused` with every refusal; warnings go to `tell`.

        `names` says in what words to name another subject.
        """
        portraits = [self._portrait(photo) for photo in photos]
        self._gate.compare(portraits)
        if not allow_similar:
            self._find_doubles(subject, portraits, names or {})
        for portrait in portraits:
            for warning in portrait.warnings:
                tell(_NOTE.with_(warning=warning))
        refusals = [refusal for portrait in portraits for refusal in portrait.refusals]
        if refusals:
            raise PhotosRefused(refusals)
        return [portrait.vector.tolist() for portrait in portraits if portrait.vector is not None]

    def _portrait(self, photo: Path) -> Portrait:
        try:
            return self._gate.judge(str(photo), read_image(photo))
        except Rejected as error:
            return Portrait(str(photo), refusals=[_UNREADABLE.with_(error=error.message, fix=error.hint)])

    def _find_doubles(self, subject: str, portraits: Sequence[Portrait], names: Mapping[str, str]) -> None:
        others = [(one.subject, one.values) for one in self._store.templates(self.model) if one.subject != subject]
        gallery = Gallery(others, self._rule)
        for portrait in portraits:
            match = gallery.match(portrait.vector) if portrait.vector is not None else None
            if match is not None:
                other = names.get(match.subject, match.subject)
                found, need = f"{match.distance:.2f}", f"{match.threshold:.2f}"
                portrait.refusals.append(_DOUBLE.with_(photo=portrait.photo, other=other, found=found, need=need))


class PhotosRefused(Rejected):
    """None of the photos was used; `refusals` says why, one sentence each."""

    def __init__(self, refusals: Sequence[Text]) -> None:
        self.refusals = tuple(refusals)
        lines = {language: "\n".join(one.say(language) for one in refusals) for language in Language}
        super().__init__(Text("{zh}", "{en}").with_(**lines), hint=_NOTHING)


def open_desk(settings: Settings, store: FaceStore, min_eyes: float | None = None) -> EnrolmentDesk:
    """Load the models that the configuration names. Raises `ModelError`."""
    dirs = model_dirs(settings.gateway.data_dir)
    finder = FaceFinder(find(settings.face.detector, dirs), min_face=_LEAST_FACE)
    embedder = open_embedder(find(settings.face.model, dirs))
    rule = rule_of(embedder.model)
    apart = embedder.model.card.thresholds.get("same_person", rule.match + _PHOTOS_DIFFER)
    bounds = Bounds(same_person=round(apart, 4))
    if min_eyes is not None:
        bounds = replace(bounds, eyes=(min_eyes, bounds.eyes[1]))
    return EnrolmentDesk(Gate(finder, embedder, bounds), store, identity(embedder.model), rule)


_NOTE = Text("提示：{warning}", "note: {warning}")
_UNREADABLE = Text("{error}；{fix}", "{error}; {fix}")
_DOUBLE = Text(
    "{photo}：与已登记的 {other} 相似（距离 {found}，应不小于 {need}）；若确为另一人（如双胞胎），请加 --allow-similar",
    "{photo}: looks like {other}, who is enrolled (distance {found}, should be at least {need}); "
    "if it is another person, a twin say, add --allow-similar",
)
_NOTHING = Text("未作登记；改正后重试", "nothing was enrolled; mend this and try again")
