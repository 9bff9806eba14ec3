"""The templates of the embedder in use, as a gallery that follows the store.

Rule: templates of another embedder are never compared. Where there are no others, recognition is refused: a site that
changed its model learns that everyone must re-enrol, and not that nobody is known any more.
"""

from __future__ import annotations

import logging
import time
from typing import Final

from gateway.errors import ModelError, StoreError
from gateway.faces import FaceStore, ModelId
from gateway.text import Text
from gateway.vision.catalogue import Model
from gateway.vision.gallery import RE_ENROL, Gallery, Rule

log = logging.getLogger(__name__)

_CHECK_S: Final = 2.0
_OTHER_MODEL = Text(
    "已登记的 {count} 人都是用其他模型登记的，不能用 {model} 识别",
    "all {count} people were enrolled with another model than {model} as it is now: nobody can be recognised",
)


def identity(model: Model) -> ModelId:
    """What templates of this embedder are marked with."""
    return ModelId(model.name, model.fingerprint)


def rule_of(model: Model) -> Rule:
    """By what distances this embedder's templates are compared. Raises `ModelError`."""
    return Rule.of(model.card.thresholds, cosine=bool(model.card.output.get("unit", 0)))


class Enrolled:
    """The gallery, made anew within two seconds of an enrolment or an erasure by another process."""

    def __init__(self, store: FaceStore, model: Model) -> None:
        """Raises `ModelError` or `StoreError`."""
        self._store, self._identity = store, identity(model)
        self._rule = rule_of(model)
        self._known: str | None = store.version()
        self._gallery = self._read()
        self._next_check = time.monotonic() + _CHECK_S

    def gallery(self) -> Gallery:
        """Raises `ModelError` once only templates of another embedder are left."""
        if time.monotonic() >= self._next_check:
            self._next_check = time.monotonic() + _CHECK_S
            try:
                if (version := self._store.version()) != self._known:
                    self._gallery, self._known = self._read(), version
            except StoreError as error:
                log.warning("no face is recognised until the templates can be read again: %s", error)
                # whoever was erased meanwhile must not be recognised from memory
                self._gallery, self._known = Gallery([], self._rule), None
        return self._gallery

    def _read(self) -> Gallery:
        gallery = Gallery([(one.subject, one.values) for one in self._store.templates(self._identity)], self._rule)
        others = sum(one.model != self._identity for one in self._store.subjects())
        if others and not len(gallery):
            raise ModelError(_OTHER_MODEL.with_(count=others, model=self._identity.name), hint=RE_ENROL)
        if others:
            log.warning("%d people must re-enrol: their templates are of another model", others)
        return gallery
