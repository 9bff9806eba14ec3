"""Stage 2, the refiner: a candidate rectified to 160x80 gets its four corners again, and a verdict.

    python -m models.train.refiner --scenes /var/tmp/scenes --shards 64 --out /var/tmp/refiner.pt

learns from true quads that were moved, turned and stretched as the detector's are, and from quads that hold no plate;
where `models.train.proposals` has run, what the detector proposes on the scenes (its false boxes included) joins them.
Writes models/plate-refiner/plate-refiner.onnx; `--steps 0 --resume FILE` only exports.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from gateway.vision.plates.refiner import HEIGHT, PLACE, WIDTH, patch
from gateway.vision.quads import boxes_of, overlap
from models.train.fitting import Conv, Residual, arguments, begin, fit, folded, normalised, resume, shards
from models.train.numbers import Random
from models.train.onnx_file import write
from models.train.scenes import IGNORED, INPUT_HEIGHT, INPUT_WIDTH, PLATE

Image = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

BATCH = 64
REACH = 20.0  # pixels of one unit of the corner outputs
CORNER_WEIGHT, ROWS_WEIGHT, COLOUR_WEIGHT = 4.0, 0.3, 0.4
NEAR = 0.35  # overlap from which a proposal is asked to find the plate; below FAR it is none
FAR = 0.15


class Refiner(nn.Module):
    """Convolutions down to 5x10, then two dense layers: 15 numbers as in the detector's cells."""

    def __init__(self) -> None:
        super().__init__()
        self.look = nn.Sequential(
            Conv(3, 20, 4, 2), Conv(20, 40, 3, 2), Residual(40), Conv(40, 56, 3, 2), Residual(56),
            Conv(56, 72, 3, 2), Residual(72), Conv(72, 32, 1), nn.Flatten(),
        )  # fmt: skip
        self.say = nn.Sequential(nn.Linear(32 * 50, 112), nn.ReLU(), nn.Linear(112, 15))

    def forward(self, x: Tensor) -> Tensor:
        """[N,3,80,160] -> [N,15]: score logit, 8 corners in REACH px from PLACE, rows logit, colour logits."""
        seen: Tensor = self.say(self.look(x))
        return seen


class Shipped(nn.Module):
    """The refiner with its normalisation and decoding inside: what the ONNX file holds."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net
        self.register_buffer("start", torch.from_numpy(PLACE.reshape(1, 8)))

    def forward(self, patch: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """uint8 [N,80,160,3] BGR -> corners [N,8] px, score [N], rows [N], colour [N,5]."""
        said = self.net(normalised(patch))
        return said[:, 1:9] * REACH + self.start, said[:, 0].sigmoid(), said[:, 9].sigmoid(), said[:, 10:].softmax(1)


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """A patch uint8 [80,160,3]; whether it holds a plate; its corners [8] in patch pixels; rows and colour."""

    patch: Image
    plate: bool
    corners: Floats
    rows: int
    colour: int


def moved(rng: Random, quad: Floats) -> Floats:
    """A true quad with the errors of a detector: shifted, stretched, turned, each corner off on its own."""
    across, down = (quad[1] + quad[2] - quad[0] - quad[3]) / 2, (quad[3] + quad[2] - quad[0] - quad[1]) / 2
    much = rng.choice([0.4, 1.0, 1.9], p=[0.35, 0.45, 0.2])
    centre = quad.mean(axis=0)
    turned, _ = cv2.Rodrigues(np.array([0, 0, np.deg2rad(rng.normal(0, 5 * much))]))
    shape = (quad - centre) @ turned[:2, :2].T * np.exp(rng.normal(0, 0.06 * much, 2))
    shift = across * rng.normal(0, 0.035 * much) + down * rng.normal(0, 0.10 * much)
    apart = rng.normal(0, 0.02 * much, (4, 1)) * across + rng.normal(0, 0.06 * much, (4, 1)) * down
    return np.asarray(centre + shape + shift + apart, np.float32)


def elsewhere(rng: Random, quads: Floats) -> Floats:
    """A quad of a plate's shape at a random place, or beside or across a plate."""
    width = np.exp(rng.uniform(np.log(14), np.log(300)))
    height = width * rng.uniform(0.22, 0.6)
    centre = rng.uniform((0, 0), (INPUT_WIDTH, INPUT_HEIGHT))
    if len(quads) and rng.random() < 0.4:
        quad = quads[int(rng.integers(len(quads)))]
        step = rng.choice([-1.0, 1.0], 2) * rng.uniform(0.5, 1.6, 2)
        centre = quad.mean(axis=0) + (quad[1] - quad[0]) * step[0] + (quad[3] - quad[0]) * step[1]
    turned, _ = cv2.Rodrigues(np.array([0, 0, rng.normal(0, 0.3)]))
    square = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * (width / 2, height / 2)
    return np.asarray(square @ turned[:2, :2].T + centre, np.float32)


def boxed(rng: Random, scene: Image, quad: Floats) -> tuple[Image, Floats, Floats]:
    """An upright cut-out around a plate, as other detectors give them: the cut, its own corners, how far it moved."""
    left, top, right, bottom = boxes_of(quad[None])[0]
    slack = rng.normal(0.03, 0.06, 4) * (right - left, bottom - top, right - left, bottom - top)
    low = np.clip((left - slack[0], top - slack[1]), 0, None).astype(int)
    high = np.minimum((right + slack[2] + 1, bottom + slack[3] + 1), scene.shape[1::-1]).astype(int)
    cut = np.ascontiguousarray(scene[low[1] : high[1], low[0] : high[0]])
    height, width = cut.shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    return cut, corners, low.astype(np.float32)


def examine(scene: Image, quad: Floats, quads: Floats, traits: npt.NDArray[np.uint8]) -> Example | None:
    """The example that a candidate makes, or None where neither yes nor no would be right."""
    shared = overlap(boxes_of(quad[None])[0], boxes_of(quads)) if len(quads) else np.zeros(0, np.float32)
    best = int(shared.argmax()) if len(quads) else -1
    plate = best >= 0 and float(shared[best]) >= NEAR and traits[best, 0] == PLATE
    if not plate and best >= 0 and (shared[best] > FAR or shared[traits[:, 0] == IGNORED].sum() > 0.05):
        return None
    cut, matrix = patch(scene, quad)
    if not plate:
        return Example(cut, False, PLACE.reshape(8), 0, 0)
    corners = cv2.perspectiveTransform(quads[best][None], matrix)[0].reshape(8)
    if not (np.abs(corners - PLACE.reshape(8)) < 60).all():
        return None
    return Example(cut, True, corners.astype(np.float32), int(traits[best, 1] == 2), int(traits[best, 2]))


def examples(folder: Path, count: int, seed: int) -> Iterator[Example]:
    """Endless examples, about as many plates as others."""
    rng = np.random.default_rng([seed, 2])
    for shard in shards(folder, count, seed):
        for index in rng.permutation(len(shard.images)):
            known = shard.traits[index, :, 0] > 0
            labelled, kinds = shard.quads[index][known], shard.traits[index][known]
            scene = np.ascontiguousarray(shard.images[index])
            chosen = [moved(rng, q) for q, k in zip(labelled, kinds, strict=True) if k[0] == PLATE for _ in range(3)]
            chosen += [elsewhere(rng, labelled) for _ in range(2)]
            chosen += [quad for quad in shard.proposals[index] if quad.any()]
            looks = [(scene, quad, labelled) for quad in chosen]
            for quad, kind in zip(labelled, kinds, strict=True):
                if kind[0] == PLATE and np.ptp(quad, axis=0).min() > 8 and rng.random() < 0.5:
                    cut, corners, shift = boxed(rng, scene, quad)
                    if min(cut.shape[:2]) > 4:
                        looks.append((cut, corners, labelled - shift))
            for picture, quad, known_quads in looks:
                example = examine(picture, quad, known_quads, kinds)
                if example:
                    yield example


def mixed(source: Iterator[Example], seed: int) -> Iterator[tuple[Tensor, list[Example]]]:
    """Batches drawn from a pool, so that one batch holds few examples of the same scene."""
    rng = np.random.default_rng([seed, 3])
    pool = [next(source) for _ in range(BATCH * 16)]
    while True:
        picks = rng.choice(len(pool), BATCH, replace=False)
        batch = [pool[int(pick)] for pick in picks]
        yield torch.from_numpy(np.stack([example.patch for example in batch])), batch
        for pick in picks:
            pool[int(pick)] = next(source)


def loss(said: Tensor, batch: list[Example]) -> Tensor:
    """Verdict by cross-entropy; corners by smooth L1; rows and colour where there is a plate."""
    there = said.device
    plate = torch.tensor([example.plate for example in batch], device=there)
    aim = torch.from_numpy(np.stack([example.corners for example in batch])).to(there)[plate]
    start = torch.from_numpy(PLACE.reshape(1, 8)).to(there)
    miss = (said[plate, 1:9] * REACH + start - aim) / REACH
    corners = F.smooth_l1_loss(miss, torch.zeros_like(miss), beta=0.05)
    weight = torch.where(plate, 1.0, 2.0)
    verdict = F.binary_cross_entropy_with_logits(said[:, 0], plate.float(), weight=weight)
    two = torch.tensor([float(example.rows) for example in batch], device=there)[plate]
    hue = torch.tensor([example.colour for example in batch], device=there)[plate]
    rows = F.binary_cross_entropy_with_logits(said[plate, 9], two)
    colour = F.cross_entropy(said[plate, 10:], hue)
    return verdict + CORNER_WEIGHT * corners + ROWS_WEIGHT * rows + COLOUR_WEIGHT * colour


def main() -> None:
    """Train (or resume) and export."""
    options = arguments(__doc__, 12000, 2.0e-3, Path("models/plate-refiner/plate-refiner.onnx")).parse_args()
    begin(options.seed)
    cv2.setNumThreads(1)
    net = Refiner()
    resume(net, options.resume)
    source = mixed(examples(options.scenes, options.shards, options.seed), options.seed)
    best = fit(net, options, source, loss)
    sample = torch.zeros(1, HEIGHT, WIDTH, 3, dtype=torch.uint8)
    names = ("patch", ["corners", "score", "rows", "colour"])
    batch = {name: {0: "n"} for name in (names[0], *names[1])}
    write(Shipped(folded(best)).eval(), sample, options.onnx, names, batch)


if __name__ == "__main__":
    main()
