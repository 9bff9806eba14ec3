"""No picture, crop, template or embedding passes the guard, under whatever name and in whatever shape."""

from __future__ import annotations

import base64
import os
from typing import Any

import numpy as np
import pytest

from gateway.credentials import Credential, Format
from gateway.errors import Rejected
from gateway.privacy import refuse_face_data

BLOB = os.urandom(300)


@pytest.mark.parametrize(
    "data",
    [
        {"image": "x"},
        {"face_crop": None},
        {"faceImage": 1},
        {"holder": {"template": "t"}},
        {"list": [{"deep": {"embedding": []}}]},
        {"featureVector": 1},
        {"note": BLOB},
        {"note": bytearray(BLOB)},
        {"note": np.zeros(4)},
        {"note": np.float32(0.5)},
        {"note": 1 << 4096},
        {"list": [{"deep": [-(1 << 64)]}]},
        {"note": base64.b64encode(BLOB).decode()},
        {"note": base64.urlsafe_b64encode(BLOB).decode()},
        {"note": base64.encodebytes(BLOB).decode()},
        {"note": BLOB.hex()},
        {"note": "see " + base64.b64encode(BLOB).decode()},
        {"note": "data:image/png;base64,AAAA"},
        {"parts": [base64.b64encode(BLOB[at : at + 30]).decode() for at in range(0, 300, 30)]},
        {"note": [0.1] * 17},
        {"note": [1] * 128},
        {"note": ["0.25"] * 128},
        {"note": {str(n): [0.5] * 8 for n in range(8)}},
        {"note": [[0.5] * 16] * 8},
        {"note": [[7] * 16] * 8},
        {"note": [{f"k{n}": n for n in range(8)}] * 8},
        {f"k{n}": n for n in range(64)},
        {"note": "x " * 9000},
        {"note": float("nan")},
        {"note": "\ud800"},
        {1: "x"},
        {"card_number": "0009334109"},
        {"credential": Credential(Format.EM4100, bytes(5))},
        {"a": {"b": {"c": {"d": {"e": {"f": {"g": 1}}}}}}},
    ],
)
def test_refused(data: dict[Any, Any]) -> None:
    with pytest.raises(Rejected):
        refuse_face_data(data)


def test_what_the_contract_names_passes() -> None:
    refuse_face_data(
        {
            "plate_no": "鄂J12345",
            "raw": "鄂JI2345",
            "plate_class": "02",
            "confidence": 0.97,
            "char_confidence": [0.99] * 16,
            "box": [10.5, 20.0, 110.25, 50.0],
            "capture": "captures/2026/11/22/0197c0de-0000-7000-8000-000000000001.jpg",
            "source_file": "192.168.1.64_01_20261122080001123_VEHICLE_DETECTION_鄂J12345_blue.jpg",
            "method": "face",
            "similarity": 0.71,
            "threshold": 0.6,
            "gallery_size": 812,
            "liveness": "none",
            "model_sha256": "9f2c" * 16,
            "holder": {"ref": "h:9f2c9f2c9f2c9f2c", "room": "3-1-0502"},
            "granted": True,
            "opened": None,
        }
    )


def test_what_was_refused_once_is_refused_again() -> None:
    """The guard remembers which sets of keys are innocent, and only those."""
    for _ in range(2):
        refuse_face_data({"point": "east-door", "holder": {"room": "3-1-0502"}})
        for data in ({"point": "east-door", "holder": {"face": "x"}}, {"point": BLOB.hex()}, {True: "x"}):
            with pytest.raises(Rejected):
                refuse_face_data(data)


def test_six_levels_are_not_too_deep() -> None:
    refuse_face_data({"a": {"b": {"c": {"d": {"e": {"f": 1, "g": {}}}}}}})
