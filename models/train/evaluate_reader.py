"""Measure a reader on held-out rendered plates and on photographs, beside a third-party reader.

    python -m models.train.evaluate_reader models/plate-reader/plate-reader.onnx

prints, for each source of pictures, how many plates each of the two readers reads exactly, and how many of 150 drawn
plates of each class (half the degradations) ours reads.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
import torch

from gateway.vision.labels import of_learnt_half
from models.train.crops import EASY, crop
from models.train.glyphs import DEFAULT_GLYPHS, Glyphs
from models.train.numbers import ALPHABET, COLOURS, invent
from models.train.photos import (
    DEFAULT_MODELS,
    DEFAULT_PLATES,
    Photo,
    greedy,
    photographs,
    read_with_yardstick,
    session,
    tally,
)
from models.train.plates import draw, possible
from models.train.reader_net import ReaderNet
from models.train.reader_shards import Shard, render

HELD_OUT = 90_000_000
RENDERED = 512
EACH = 150
FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Checks:
    """What a reader is measured on: photographs, and a shard that no training run reads."""

    photos: list[Photo]
    rendered: Shard

    @classmethod
    def gather(cls, seed: int, *, untaught: bool = False) -> Checks:
        """Cut the photographs and render the held-out shard; where there are no photographs, do without.

        With `untaught` only those photographs count that no reader may have learnt from.
        """
        rendered = render(seed, HELD_OUT, Glyphs(DEFAULT_GLYPHS), RENDERED)
        photos = list(photographs(DEFAULT_PLATES, DEFAULT_MODELS)) if DEFAULT_PLATES.exists() else []
        return cls([photo for photo in photos if not (untaught and of_learnt_half(photo.file))], rendered)


def read_with_net(net: ReaderNet, images: npt.NDArray[np.uint8]) -> tuple[FloatArray, FloatArray]:
    """Logits of frames [n, 42, classes] and colours [n, 5] for uint8 images [n, 48, 168, 3]."""
    net.eval()
    there = next(net.parameters()).device
    frames, colours = [], []
    with torch.no_grad():
        for part in torch.from_numpy(images).split(64):  # type: ignore[no-untyped-call]
            logits, colour = net(part.to(there).permute(0, 3, 1, 2).float() / 127.5 - 1)
            frames.append(logits.cpu().numpy())
            colours.append(colour.cpu().numpy())
    return np.concatenate(frames), np.concatenate(colours)


def _texts(labels: npt.NDArray[np.generic]) -> list[str]:
    return ["".join(ALPHABET[int(c) - 1] for c in row if c > 0) for row in labels]


def summary(checks: Checks, rendered: tuple[FloatArray, FloatArray], photos: tuple[FloatArray, FloatArray]) -> str:
    """One line: exactly read plates by source, and how often the colour is right."""
    wanted = _texts(checks.rendered["labels"])
    right = sum(greedy(f, ALPHABET) == w for f, w in zip(rendered[0], wanted, strict=True))
    hue = float((rendered[1].argmax(1) == checks.rendered["colours"]).mean())
    words = [f"rendered {right}/{len(wanted)} colour {hue:.3f}"]
    if checks.photos:
        counts = tally(checks.photos, [greedy(frames, ALPHABET) for frames in photos[0]])
        words += [f"{source} {good}/{total}" for source, (good, total) in counts.items()]
        labels = np.array([COLOURS.index(photo.colour) for photo in checks.photos])
        words.append(f"photo colour {float((photos[1].argmax(1) == labels).mean()):.3f}")
    return ", ".join(words)


def report(net: ReaderNet, checks: Checks) -> str:
    """Measure a net in training."""
    photos = read_with_net(net, np.stack([p.image for p in checks.photos])) if checks.photos else ()
    rendered = read_with_net(net, np.asarray(checks.rendered["images"], np.uint8))
    return summary(checks, rendered, photos)  # type: ignore[arg-type]


def by_class(reader: ort.InferenceSession, seed: int) -> str:
    """Share of drawn plates read exactly, for each class of plate and for those with letter O."""
    rng, glyphs = np.random.default_rng((seed, HELD_OUT)), Glyphs(DEFAULT_GLYPHS)
    words, lettered = [], []
    for name in sorted(possible(glyphs)):
        plates = [draw(rng, glyphs, 0.5, invent(rng, frozenset({name}))) for _ in range(EACH)]
        images = np.stack([crop(rng, plate, 0.5, EASY)[0] for plate in plates])
        frames = np.asarray(reader.run(["prob"], {"plate": images})[0])
        right = [greedy(f, ALPHABET) == plate.text for f, plate in zip(frames, plates, strict=True)]
        lettered += [good for good, plate in zip(right, plates, strict=True) if "O" in plate.text]
        words.append(f"{name} {np.mean(right):.2f}")
    return ", ".join([*words, f"letter O {np.mean(lettered):.2f} of {len(lettered)}"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    checks = Checks.gather(options.seed)
    reader = session(options.model)

    def run(images: npt.NDArray[np.uint8]) -> tuple[FloatArray, FloatArray]:
        prob, colour = reader.run(["prob", "colour"], {"plate": images})
        return np.asarray(prob), np.asarray(colour)

    photos = run(np.stack([photo.image for photo in checks.photos]))
    print("plate-reader:", summary(checks, run(np.asarray(checks.rendered["images"], np.uint8)), photos))
    theirs = tally(checks.photos, read_with_yardstick(session(DEFAULT_MODELS / "plate_rec_color.onnx"), checks.photos))
    print("drawn:", by_class(reader, options.seed))
    print("plate_rec_color:", ", ".join(f"{source} {good}/{total}" for source, (good, total) in theirs.items()))


if __name__ == "__main__":
    main()
