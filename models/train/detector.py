"""Stage 1, the plate detector: one look at 640x384 gives score, corners, rows and colour on a stride-8 map.

    python -m models.train.scenes --out /var/tmp/scenes --shards 64 --seed 7
    python -m models.train.detector --scenes /var/tmp/scenes --shards 64 --out /var/tmp/detector.pt

trains on 320x320 crops (bf16 where the CPU has it) and writes models/plate-detector/plate-detector.onnx.
`--steps 0 --resume FILE` only exports.
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

from models.train.fitting import (
    Conv,
    Residual,
    Shard,
    arguments,
    begin,
    fit,
    folded,
    normalised,
    resume,
    shards,
)
from models.train.numbers import Random
from models.train.onnx_file import write
from models.train.scenes import IGNORED, INPUT_HEIGHT, INPUT_WIDTH, PLATE

Floats = npt.NDArray[np.float32]

STRIDE = 8
CROP, BATCH = 320, 16
CELLS = CROP // STRIDE
REACH = 32.0  # pixels of one unit of the corner outputs
NEGATIVE_WEIGHT, CORNER_WEIGHT, ROWS_WEIGHT, COLOUR_WEIGHT = 2.0, 3.0, 0.4, 0.4


class Detector(nn.Module):
    """Full 3x3 convolutions down to stride 32 and back up to one stride-8 map of 15 channels."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(Conv(3, 16, 4, 2), Conv(16, 32, 3, 2))
        self.eighth = nn.Sequential(Conv(32, 48, 3, 2), Residual(48))
        self.sixteenth = nn.Sequential(Conv(48, 64, 3, 2), Residual(64))
        self.thirtysecond = nn.Sequential(Conv(64, 96, 3, 2), Residual(96), Conv(96, 64, 1))
        self.middle = nn.Sequential(Conv(64, 64), Conv(64, 48, 1))
        self.head = nn.Sequential(Conv(48, 48), nn.Conv2d(48, 15, 1))
        last = self.head[-1]
        assert isinstance(last, nn.Conv2d)
        assert last.bias is not None
        nn.init.normal_(last.weight, 0, 0.01)
        nn.init.zeros_(last.bias)
        last.bias.data[0] = -4.0

    def forward(self, x: Tensor) -> Tensor:
        """[N,3,H,W] roughly -1..1 -> [N,15,H/8,W/8]: score logit, 8 corners in REACH px from the cell, rows, colour."""
        eighth = self.eighth(self.stem(x))
        sixteenth = self.sixteenth(eighth)
        deep = F.interpolate(self.thirtysecond(sixteenth), scale_factor=2.0, mode="nearest")
        middle = F.interpolate(self.middle(sixteenth + deep), scale_factor=2.0, mode="nearest")
        maps: Tensor = self.head(eighth + middle)
        return maps


class Shipped(nn.Module):
    """The detector with its normalisation and decoding inside: what the ONNX file holds."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """uint8 [1,H,W,3] BGR, both in 32s -> score, corners, rows, colour as described in the model card."""
        maps = self.net(normalised(image)).permute(0, 2, 3, 1)
        y, x = torch.meshgrid(torch.arange(maps.shape[1]), torch.arange(maps.shape[2]), indexing="ij")
        centres = torch.stack([x, y] * 4, dim=2).float() * STRIDE + (STRIDE - 1) / 2
        corners = maps[..., 1:9] * REACH + centres[None]
        return maps[..., 0].sigmoid(), corners, maps[..., 9].sigmoid(), maps[..., 10:15].softmax(-1)


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """For each cell [40,40]: weight of the positive, whether it counts as negative, corners [8], height, traits."""

    weight: Floats
    negative: Floats
    corners: Floats
    height: Floats
    traits: npt.NDArray[np.int64]


def centres() -> Floats:
    """Centres of a crop's cells in pixels, [40,40,2]."""
    y, x = np.mgrid[0:CELLS, 0:CELLS]
    return (np.stack([x, y], axis=2) * STRIDE + (STRIDE - 1) / 2).astype(np.float32)


CENTRES = centres()


def targets(quads: Floats, traits: npt.NDArray[np.uint8]) -> Targets:
    """Quads [n,4,2] in crop pixels and traits [n,3] (kind, rows, colour) -> what each cell should say."""
    shape = (CELLS, CELLS)
    aim = Targets(
        np.zeros(shape, np.float32), np.ones(shape, np.float32), np.zeros((*shape, 8), np.float32),
        np.ones(shape, np.float32), np.zeros((*shape, 2), np.int64),
    )  # fmt: skip
    square = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], np.float32)
    frame = np.array([[0, 0], [CROP, 0], [CROP, CROP], [0, CROP]], np.float32)
    for quad, (kind, rows, colour) in zip(quads, traits, strict=True):
        if kind not in (PLATE, IGNORED) or not (np.ptp(np.clip(quad, 0, CROP), axis=0) > 1).all():
            continue
        half = (
            np.linalg.norm([quad[1] + quad[2] - quad[0] - quad[3], quad[3] + quad[2] - quad[0] - quad[1]], axis=1) / 4
        )
        half = np.maximum(half, 1.5)
        matrix = cv2.getPerspectiveTransform(quad, square)
        place = np.abs(cv2.perspectiveTransform(CENTRES.reshape(1, -1, 2), matrix)[0].reshape(*shape, 2))
        aim.negative[(place < 1.25 + 4 / half).all(axis=2)] = 0
        if kind == IGNORED or cv2.intersectConvexConvex(quad, frame)[0] < 0.75 * cv2.contourArea(quad):
            continue
        inside = (place < np.maximum(0.7, 4 / half)).all(axis=2)
        if not inside.any():
            inside = (place == place.reshape(-1, 2)[place.sum(axis=2).argmin()]).all(axis=2)
        aim.weight[inside] = 1 / np.sqrt(inside.sum())
        aim.corners[inside] = quad.reshape(8)
        aim.height[inside] = max(2 * half[1], 5.0)
        aim.traits[inside] = rows == 2, colour
    return aim


def cut(rng: Random, shard: Shard, index: int) -> tuple[npt.NDArray[np.uint8], Targets]:
    """A 320x320 crop of a scene, mostly around one of its plates, with its targets."""
    images, quads, traits = shard.images[index], shard.quads[index], shard.traits[index]
    free = np.array([INPUT_WIDTH - CROP, INPUT_HEIGHT - CROP])
    corner = rng.integers(0, free + 1)
    labelled = np.flatnonzero(traits[:, 0] == PLATE)
    if len(labelled) and rng.random() < 0.8:
        chosen = quads[rng.choice(labelled)]
        low, high = chosen.max(axis=0) - CROP, chosen.min(axis=0)
        corner = np.clip(rng.uniform(np.minimum(low, high), np.maximum(low, high)), 0, free).astype(int)
    x, y = corner
    return images[y : y + CROP, x : x + CROP], targets(quads - corner.astype(np.float32), traits)


def loss(maps: Tensor, aims: list[Targets]) -> Tensor:
    """Quality focal loss, corners over plate height, rows and colour; each plate weighs the root of its cells."""
    maps = maps.permute(0, 2, 3, 1)
    weight, negative, corners, height = (
        torch.from_numpy(np.stack([getattr(aim, name) for aim in aims])).to(maps.device)
        for name in ("weight", "negative", "corners", "height")
    )
    total = weight.sum().clamp(min=4.0)
    chosen = weight > 0
    share = weight[chosen] / total
    base = torch.from_numpy(CENTRES).to(maps.device).repeat(1, 1, 4)[None].expand(len(aims), -1, -1, -1)[chosen]
    miss = (maps[..., 1:9][chosen] * REACH + base - corners[chosen]) / height[chosen][:, None]
    corner_loss = (F.smooth_l1_loss(miss, torch.zeros_like(miss), beta=0.1, reduction="none").mean(1) * share).sum()
    quality = 0.5 + 0.5 * torch.exp(-3 * miss.detach().abs().mean(1))
    hit, empty = maps[..., 0][chosen], maps[..., 0][negative > 0]
    focal = (quality - hit.sigmoid()) ** 2 * F.binary_cross_entropy_with_logits(hit, quality, reduction="none")
    false = (empty.sigmoid() ** 2 * F.softplus(empty)).sum() / total
    traits = torch.from_numpy(np.stack([aim.traits for aim in aims])).to(maps.device)[chosen]
    rows = F.binary_cross_entropy_with_logits(maps[..., 9][chosen], traits[:, 0].float(), reduction="none")
    colour = F.cross_entropy(maps[..., 10:15][chosen], traits[:, 1], reduction="none")
    kinds = ((ROWS_WEIGHT * rows + COLOUR_WEIGHT * colour) * share).sum()
    return (focal * share).sum() * 2 + NEGATIVE_WEIGHT * false + CORNER_WEIGHT * corner_loss + kinds


def batches(folder: Path, count: int, seed: int) -> Iterator[tuple[Tensor, list[Targets]]]:
    """Endless batches of 16 crops; every scene of a shard is cut once a pass."""
    rng = np.random.default_rng([seed, 1])
    for shard in shards(folder, count, seed):
        order = rng.permutation(len(shard.images))
        for start in range(0, len(order) - BATCH + 1, BATCH):
            pairs = [cut(rng, shard, int(index)) for index in order[start : start + BATCH]]
            yield torch.from_numpy(np.stack([image for image, _ in pairs])), [aim for _, aim in pairs]


def main() -> None:
    """Train (or resume) and export."""
    options = arguments(__doc__, 3500, 2.5e-3, Path("models/plate-detector/plate-detector.onnx")).parse_args()
    begin(options.seed)
    net = Detector()
    resume(net, options.resume)
    best = fit(net, options, batches(options.scenes, options.shards, options.seed), loss)
    sample = torch.zeros(1, INPUT_HEIGHT, INPUT_WIDTH, 3, dtype=torch.uint8)
    names = ("image", ["score", "corners", "rows", "colour"])
    maps = {name: {1: "rows", 2: "columns"} for name in names[1]}
    write(Shipped(folded(best)).eval(), sample, options.onnx, names, {"image": {1: "height", 2: "width"}, **maps})


if __name__ == "__main__":
    main()
