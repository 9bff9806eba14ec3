"""The face store: what is in the file, who may read it, and that erased means erased."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from array import array
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from gateway.errors import Rejected, StoreError
from gateway.faces import MOST_PEOPLE, WARN_PEOPLE, Consent, FaceStore, ModelId, Template

KEY = bytes(range(32))
CONSENT = Consent("2026-1", "paper", "binder 3/17", datetime(2026, 11, 22, 9, tzinfo=UTC))
MODEL = ModelId("dlib-resnet", "ab" * 32)
OTHER = ModelId("dlib-resnet", "cd" * 32)


def vector(first: float) -> list[float]:
    return [first] + [0.125] * 127


@pytest.fixture
def store(tmp_path: Path) -> FaceStore:
    return FaceStore(tmp_path / "faces.db", lambda: KEY)


def test_what_was_enrolled_comes_back(store: FaceStore) -> None:
    assert store.enrol("h:1", [vector(0.5), vector(0.25)], CONSENT, MODEL) == 1
    assert store.enrol("h:2", [vector(1.0)], CONSENT, MODEL) == 2
    found = store.templates(MODEL)
    assert [one.subject for one in found] == ["h:1", "h:1", "h:2"]
    assert sorted(array("f", one.values)[0] for one in found) == [0.25, 0.5, 1.0]
    assert all(len(one.values) == 512 for one in found)
    first = store.subjects()[0]
    assert (first.ref, first.model, first.templates, first.consent_version) == ("h:1", MODEL, 2, "2026-1")


def test_another_models_templates_are_never_handed_out(store: FaceStore) -> None:
    store.enrol("h:1", [vector(0.5)], CONSENT, MODEL)
    assert store.templates(OTHER) == []
    assert store.templates(ModelId("other-net", MODEL.sha256)) == []
    store.enrol("h:1", [vector(0.75)], CONSENT, OTHER)
    assert store.templates(MODEL) == [], "a new enrolment replaces the former"
    assert len(store.templates(OTHER)) == 1


def test_a_vector_is_never_printed() -> None:
    assert "values" not in repr(Template("h:1", b"secret"))


def test_neither_vector_nor_name_is_in_the_file(store: FaceStore, tmp_path: Path) -> None:
    store.enrol("h:0123456789abcdef", [vector(0.5)], CONSENT, MODEL)
    content = (tmp_path / "faces.db").read_bytes()
    assert array("f", [0.125] * 2).tobytes() not in content
    assert (tmp_path / "faces.db").stat().st_mode & 0o777 == 0o600


def test_the_consent_comes_back_and_the_guardian_is_sealed(store: FaceStore, tmp_path: Path) -> None:
    child = replace(CONSENT, guardian="王五")
    store.enrol("h:1", [vector(0.5)], child, MODEL)
    store.enrol("h:2", [vector(0.5)], CONSENT, MODEL)
    assert (store.consent("h:1"), store.consent("h:2"), store.consent("h:3")) == (child, CONSENT, None)
    assert "王五".encode() not in (tmp_path / "faces.db").read_bytes()


def test_erased_leaves_no_trace(store: FaceStore, tmp_path: Path) -> None:
    path = tmp_path / "faces.db"
    for number in range(30):
        store.enrol(f"h:{number:016d}", [vector(number + 1)] * 3, CONSENT, MODEL)
    with sqlite3.connect(path) as base:
        sealed = [row[0] for row in base.execute("SELECT sealed FROM templates WHERE subject = 'h:0000000000000007'")]
    base.close()
    assert all(blob in path.read_bytes() for blob in sealed)
    assert store.erase("h:0000000000000007") == 3
    left = path.read_bytes()
    assert not any(blob[16:48] in left for blob in sealed)
    assert b"h:0000000000000007" not in left
    assert sorted(file.name for file in tmp_path.iterdir()) == ["faces.db"]
    assert store.people() == 29
    assert store.erase("h:0000000000000007") == 0


@pytest.mark.parametrize("act", ["enrol", "erase"])
def test_no_audit_no_change(store: FaceStore, act: str) -> None:
    def refuse() -> None:
        raise StoreError("the spool is full")

    store.enrol("h:1", [vector(0.5)], CONSENT, MODEL)
    version = store.version()
    enrol = partial(store.enrol, "h:1", [vector(0.75)], CONSENT, MODEL)
    erase = partial(store.erase, "h:1")
    with pytest.raises(StoreError, match="spool"):
        (enrol if act == "enrol" else erase)(audit=refuse)
    assert array("f", store.templates(MODEL)[0].values)[0] == 0.5
    assert store.version() == version


@pytest.mark.parametrize("damage", ["subject", "model", "sealed", "key"])
def test_a_moved_or_altered_template_does_not_open(store: FaceStore, tmp_path: Path, damage: str) -> None:
    path = tmp_path / "faces.db"
    store.enrol("h:1", [vector(0.5)], CONSENT, MODEL)
    store.enrol("h:2", [vector(0.5)], CONSENT, MODEL)
    statement = {
        "subject": "UPDATE templates SET subject = 'h:2'",
        "model": f"UPDATE templates SET model_sha256 = '{OTHER.sha256}'",
        "sealed": "UPDATE templates SET sealed = zeroblob(528)",
        "key": "SELECT 1",
    }[damage]
    with sqlite3.connect(path) as base:
        base.execute(statement)
    base.close()
    reader = FaceStore(path, lambda: bytes(32) if damage == "key" else KEY)
    with pytest.raises(StoreError) as caught:
        reader.templates(OTHER if damage == "model" else MODEL)
    assert "face.key" in str(caught.value.hint)


def test_the_same_vector_is_sealed_differently_each_time(store: FaceStore, tmp_path: Path) -> None:
    store.enrol("h:1", [vector(0.5)] * 50, CONSENT, MODEL)
    with sqlite3.connect(tmp_path / "faces.db") as base:
        rows = base.execute("SELECT nonce, sealed FROM templates").fetchall()
    base.close()
    assert len({nonce for nonce, _ in rows}) == len({sealed for _, sealed in rows}) == 50


def test_the_version_changes_when_another_process_writes(store: FaceStore, tmp_path: Path) -> None:
    assert store.version() == "none"
    assert not (tmp_path / "faces.db").exists()
    code = (
        "import sys; sys.path.insert(0, sys.argv[2]); from pathlib import Path;"
        "from tests.test_faces import *; s = FaceStore(Path(sys.argv[1]), lambda: KEY);"
        "s.enrol(sys.argv[3], [vector(2.0)], CONSENT, MODEL)"
    )
    seen = [store.version()]
    for subject in ("h:1", "h:1", "h:2"):
        root = Path(__file__).resolve().parent.parent
        subprocess.run([sys.executable, "-c", code, tmp_path / "faces.db", root, subject], check=True)
        seen.append(store.version())
    store.erase("h:2")
    seen.append(store.version())
    assert len(set(seen)) == len(seen)
    assert store.version() == seen[-1]


@pytest.mark.parametrize("wrong", [[], [[]], [[0.0] * 128], [[float("nan")] * 128], [[float("inf")] + [0.0] * 127]])
def test_a_vector_that_is_none_is_refused(store: FaceStore, wrong: list[list[float]]) -> None:
    with pytest.raises(Rejected):
        store.enrol("h:1", wrong, CONSENT, MODEL)
    assert store.subjects() == []


def test_the_law_counts_people(tmp_path: Path) -> None:
    assert (WARN_PEOPLE, MOST_PEOPLE) == (80_000, 100_000)
    path = tmp_path / "faces.db"
    small = FaceStore(path, lambda: KEY, most=2)
    for subject in ("h:1", "h:2", "h:2", "h:1"):
        small.enrol(subject, [vector(1)], CONSENT, MODEL)
    with pytest.raises(Rejected) as caught:
        small.enrol("h:3", [vector(1)], CONSENT, MODEL)
    assert "filing_no" in str(caught.value.hint)
    assert small.people() == 2
    assert FaceStore(path, lambda: KEY, filing_no="京网信备 1", most=2).enrol("h:3", [vector(1)], CONSENT, MODEL) == 3


def test_a_consent_must_be_complete() -> None:
    with pytest.raises(Rejected):
        Consent("1", " ", "ref", datetime.now(UTC))
    with pytest.raises(Rejected):
        Consent("1", "paper", "ref", datetime(2026, 1, 1))


def test_a_file_that_is_no_database_is_a_store_error(tmp_path: Path) -> None:
    path = tmp_path / "faces.db"
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(StoreError) as caught:
        FaceStore(path, lambda: KEY).templates(MODEL)
    assert str(path) in str(caught.value.message)


def test_many_threads_enrol_at_once(store: FaceStore) -> None:
    def enrol(number: int) -> None:
        for turn in range(3):
            store.enrol(f"h:{number}-{turn}", [vector(number + 1)], CONSENT, MODEL)

    threads = [threading.Thread(target=enrol, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.people() == 12


def test_the_store_loads_neither_numpy_nor_cv2() -> None:
    code = "import sys, gateway.faces, gateway.spool; print(sorted({'numpy', 'cv2', 'onnxruntime'} & set(sys.modules)))"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parent.parent)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == "[]"
