"""The gallery in use follows the store, and templates of another embedder are never compared."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.errors import ModelError
from gateway.faces import Consent, FaceStore
from gateway.vision import enrolled as module
from gateway.vision.catalogue import Model, open_model
from gateway.vision.enrolled import Enrolled, identity
from tests.vision.nets import card, constant_net

CONSENT = Consent("1", "paper", "binder 1", datetime(2026, 1, 1, tzinfo=UTC))


def embedder(folder: Path, points: int = 30) -> Model:
    """A card of an embedder; only what it says counts here."""
    folder.mkdir(parents=True, exist_ok=True)
    constant_net(folder / "net.onnx", "chip", ["n", 112, 112, 3], {}, batch=True)
    table = f"[input]\nwidth = {points}\n[thresholds]\nmatch = 0.45\nmargin = 0.08\nalone = 0.4\n"
    return card(folder, "face.embed", "face-chip", table)


@pytest.fixture
def store(tmp_path: Path) -> FaceStore:
    return FaceStore(tmp_path / "faces.db", lambda: bytes(32))


def test_a_changed_embedder_is_refused_until_somebody_re_enrols(tmp_path: Path, store: FaceStore) -> None:
    old, new = embedder(tmp_path / "old"), embedder(tmp_path / "new")
    Enrolled(store, new)  # an empty store is no reason to refuse
    store.enrol("h:1", [[1.0, 0.0]], CONSENT, identity(old))
    store.enrol("h:2", [[0.0, 1.0]], CONSENT, identity(old))
    with pytest.raises(ModelError, match="all 2 people") as caught:
        Enrolled(store, new)
    assert "re-enrol" in str(caught.value.hint)
    store.enrol("h:1", [[1.0, 0.5, 0.0]], CONSENT, identity(new))
    assert Enrolled(store, new).gallery().subjects == ("h:1",)
    assert Enrolled(store, old).gallery().subjects == ("h:2",)


def test_the_same_file_told_something_else_is_another_embedder(tmp_path: Path) -> None:
    model = embedder(tmp_path / "net")
    before = identity(model)
    assert identity(open_model(tmp_path / "net")) == before
    assert identity(embedder(tmp_path / "net", points=31)) != before
    looser = replace(model, card=model.card.model_copy(update={"thresholds": {"match": 0.5}}))
    assert identity(looser) == before  # thresholds change no vector


def test_the_gallery_follows_the_store(tmp_path: Path, store: FaceStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CHECK_S", 0.0)
    model = embedder(tmp_path / "net")
    enrolled = Enrolled(store, model)
    assert len(enrolled.gallery()) == 0
    store.enrol("h:1", [[1.0, 0.0]], CONSENT, identity(model))
    assert len(enrolled.gallery()) == 1
    store.erase("h:1")
    assert len(enrolled.gallery()) == 0
