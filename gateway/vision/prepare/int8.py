"""An int8 twin of the face embedder: made, measured and kept only where this box gains from it.

It is a model of its own, `dlib-resnet-int8`, to be named in `[face] model`: templates carry the fingerprint of their
model, so those of the float32 net are never compared with its vectors. Weights are s8 per output channel, activations
u8, ranges from drawn faces; weights keep to 7 bits, so that processors without VNNI do not overflow (it costs nothing).
The int8 forms of plate nets are shipped (`gateway/vision/quicker.py`): docs/decisions/0015-int8.md has the figures.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gateway.errors import ModelError
from gateway.text import Text
from gateway.vision.catalogue import Model, open_model
from gateway.vision.prepare.drawn_faces import draw_faces
from gateway.vision.prepare.folder import make
from gateway.vision.prepare.recipe import Recipe
from gateway.vision.session import RUNTIME, Session

_MOST_TIME: Final = 0.8  # of the float32 net's, else it is not worth a model of its own
_MOST_DRIFT: Final = 0.15  # mean distance of its vectors from the float32 net's; strangers are 0.6 apart
_CALIBRATE, _JUDGE = (40, 7), (20, 8)  # drawn faces and seed
_ROUNDS: Final = 30

_MADE = Text("已生成 {name}：{path}；{figures}", "made {name}: {path}; {figures}")
_KEPT = Text("{name} 已在：{path}", "{name} is there: {path}")
_REFUSED = Text("未生成 {name}，本机不值得：{figures}", "{name} is not made, this box gains too little: {figures}")
_FIGURES = Text(
    "耗时为 float32 的 {time:.0%}（上限 {most_time:.0%}），向量平均偏移 {drift:.3f}（上限 {most_drift:g}）",
    "it takes {time:.0%} of float32's time (at most {most_time:.0%}), its vectors are {drift:.3f} away on average "
    "(at most {most_drift:g})",
)
_USE = Text(
    '启用：[face] model = "{name}"，并重新登记所有人',
    'to use it: [face] model = "{name}", and everyone re-enrols',
)


@dataclass(frozen=True, slots=True)
class Figures:
    """The int8 net beside the float32 net, on this box."""

    time: float  # share of the float32 net's, one thread
    drift: float  # mean distance between their vectors of a face
    farthest: float

    @property
    def is_worth_it(self) -> bool:
        """Asked this way round: a drift that is no number is none."""
        return self.time <= _MOST_TIME and self.drift <= _MOST_DRIFT

    def words(self) -> Text:
        return _FIGURES.with_(time=self.time, drift=self.drift, most_time=_MOST_TIME, most_drift=_MOST_DRIFT)

    def as_card(self) -> str:
        """What the made model's card says of them."""
        data = f"{_JUDGE[0]} drawn faces on the box that made it, {RUNTIME}, one thread"
        rows = [
            (self.time, "share of the float32 net's time", f"kept because it is {_MOST_TIME} at most"),
            (self.drift, "mean distance from the float32 net's vectors", f"kept because it is {_MOST_DRIFT} at most"),
            (self.farthest, "largest distance from the float32 net's vectors", ""),
        ]
        return "".join(
            f'\n[[accuracy]]\ndata = "{data}"\nvalue = {value:.4f}\nmetric = "{metric}"\nnote = "{note}"\n'
            for value, metric, note in rows
        )


def prepare_int8(into: Path, recipe: Recipe, embedder: Model, progress: Callable[[Text], None]) -> Path | None:
    """Make `into/dlib-resnet-int8` of the float32 `embedder` unless it is there, whole; None if not worth it."""
    folder = into / recipe.name
    if _is_whole(folder):
        progress(_KEPT.with_(name=recipe.name, path=folder))
        return folder
    data = embedder.read()
    made = quantise(data, draw_faces(*_CALIBRATE))
    found = compare(data, made, draw_faces(*_JUDGE))
    if not found.is_worth_it:
        progress(_REFUSED.with_(name=recipe.name, figures=found.words()))
        return None
    card = recipe.card.rstrip() + "\n" + found.as_card()
    make(folder, Recipe(recipe.name, card, recipe.sources, recipe.files), {recipe.files[0]: made})
    progress(_MADE.with_(name=recipe.name, path=folder, figures=found.words()))
    progress(_USE.with_(name=recipe.name))
    return folder


def _is_whole(folder: Path) -> bool:
    try:
        open_model(folder).verify()
    except ModelError:
        return False
    return True


def quantise(data: bytes, pictures: NDArray[np.uint8]) -> bytes:
    """A net that takes `image` as QDQ int8, its ranges those that `pictures` bring about."""
    # not before `session` has told the runtime to keep silent
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory() as folder:
        source, folded, made = (Path(folder) / name for name in ("net.onnx", "folded.onnx", "int8.onnx"))
        source.write_bytes(data)
        quant_pre_process(str(source), str(folded), skip_symbolic_shape=True)
        quantize_static(
            str(folded),
            str(made),
            _Pictures(pictures),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        return made.read_bytes()


def compare(data: bytes, made: bytes, pictures: NDArray[np.uint8]) -> Figures:
    """Both nets on the same pictures, in turn, by the processor's time. Raises `ModelError`."""
    nets = Session(data, name="float32"), Session(made, name="int8")
    vectors = [np.concatenate([net.run(one[None])[0] for one in pictures]) for net in nets]
    apart = np.linalg.norm(vectors[0] - vectors[1], axis=1)
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(_ROUNDS):
        for net, taken in zip(nets, times, strict=True):
            began = time.thread_time()
            net.run(pictures[:1])
            taken.append(time.thread_time() - began)
    share = float(np.median(times[1]) / np.median(times[0]))
    return Figures(share, float(apart.mean()), float(apart.max()))


class _Pictures:
    """One picture after the other, as the calibration asks for them."""

    def __init__(self, pictures: NDArray[np.uint8]) -> None:
        self._rest: Iterator[NDArray[np.uint8]] = iter(pictures)

    def get_next(self) -> dict[str, Any] | None:
        picture = next(self._rest, None)
        return None if picture is None else {"image": picture[None]}
