"""What the original face nets say of noise: run by hand, once, where dlib and TensorFlow are installed.

    pip install numpy dlib-bin tensorflow-cpu mtcnn==1.0.0 face-recognition-models==0.3.0
    python -m tests.vision.originals > tests/vision/originals.json

The product and its tests never import these packages; `test_prepare.py` compares the converted nets with the numbers
in `originals.json` (dlib 20.0.1, TensorFlow 2.21.0). Nothing here is shipped.
"""

from __future__ import annotations

import json
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import numpy as np

PATCHES = {"pnet": (1, 19, 26), "rnet": (3, 24, 24), "onet": (3, 48, 48)}  # pictures, rows, columns
CHIPS = (2, 150, 150)
_DLIB = "face_recognition_models/models/dlib_face_recognition_resnet_model_v1.dat"


def noise(shape: tuple[int, int, int]) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """BGR pictures, the same everywhere."""
    return np.random.default_rng(7).integers(0, 256, (*shape, 3), np.uint8)


def main() -> None:
    """Print the outputs of each net, in its own order."""
    found = {net: [_plain(output) for output in _mtcnn(net)] for net in PATCHES}
    found["dlib-resnet"] = [_plain(vector) for vector in _dlib()]
    print(json.dumps(found, separators=(",", ":")))


def _dlib() -> list[Any]:
    import dlib

    net = dlib.face_recognition_model_v1(str(Path(distribution("face-recognition-models").locate_file(_DLIB))))
    return [net.compute_face_descriptor(np.ascontiguousarray(chip[..., ::-1])) for chip in noise(CHIPS)]


def _mtcnn(net: str) -> list[Any]:
    from mtcnn.stages import StageONet, StagePNet, StageRNet

    stage = {"pnet": StagePNet, "rnet": StageRNet, "onet": StageONet}[net]()
    return list(stage._model((noise(PATCHES[net])[..., ::-1].astype(np.float32) - 127.5) / 128))


def _plain(values: Any) -> Any:
    """Nested lists of float32 in as few digits as tell them apart."""
    array = np.asarray(values, np.float32)
    return [float(str(value)) for value in array] if array.ndim == 1 else [_plain(row) for row in array]


if __name__ == "__main__":
    main()
