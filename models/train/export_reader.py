"""Turn a checkpoint into models/plate-reader/plate-reader.onnx, with a temperature that makes confidences honest.

    python -m models.train.export_reader WORK/final.pt

prints the largest difference between torch and onnxruntime, the temperature, and the calibration table of the card;
writes sha256 and size into model.toml beside the file. The confidence of a reading is the CTC probability of its text,
the sum over all alignments.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
import torch
from torch.nn import functional

from models.train.evaluate_reader import Checks, read_with_net
from models.train.numbers import ALPHABET
from models.train.onnx_file import write
from models.train.photos import Photo, greedy, same, session
from models.train.reader_net import ReaderNet, Shipped

TARGET = Path("models/plate-reader/plate-reader.onnx")
TOLERANCE = 5e-3  # half precision of the weights
FloatArray = npt.NDArray[np.float32]


def confidence(logits: FloatArray, temperature: float) -> FloatArray:
    """How sure each reading is: the CTC probability of the greedy text, from logits [n, 42, classes]."""
    steps = (torch.from_numpy(logits) / temperature).log_softmax(2).transpose(0, 1)
    texts = [[ALPHABET.index(c) + 1 for c in greedy(frames, ALPHABET)] for frames in logits]
    sizes = torch.tensor([len(text) for text in texts])
    targets = torch.tensor([index for text in texts for index in text])
    spans = torch.full((len(texts),), logits.shape[1])
    lost = functional.ctc_loss(steps, targets, spans, sizes, reduction="none", zero_infinity=False)
    return np.asarray(torch.exp(-lost).numpy() * (sizes > 0).numpy(), np.float32)


def honest_temperature(logits: FloatArray, right: npt.NDArray[np.bool_]) -> float:
    """The temperature under which confidences best predict which readings are right (least log loss)."""

    def loss(temperature: float) -> float:
        sure = confidence(logits, temperature).clip(1e-4, 1 - 1e-4)
        return float(-np.log(np.where(right, sure, 1 - sure)).mean())

    return float(min(np.arange(0.5, 3.01, 0.05), key=loss).round(2))


def table(logits: FloatArray, right: npt.NDArray[np.bool_], temperature: float) -> str:
    """Rows of the calibration table: confidence at least, share of readings, share of these that are right."""
    sure = confidence(logits, temperature)
    lines = []
    for least in (0.0, 0.4, 0.6, 0.85, 0.95):
        kept = sure >= least
        good = right[kept].mean() if kept.any() else float("nan")
        lines.append(f"| >= {least} | {kept.mean():.3f} | {good:.3f} | {sure[kept].mean():.3f} |")
    return "\n".join(lines)


def export(net: ReaderNet, temperature: float, target: Path) -> float:
    """Write the ONNX file; return the largest difference between torch and onnxruntime on random plates."""
    shipped = Shipped(net, temperature).eval()
    example = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (5, 48, 168, 3), np.uint8))
    names = ("plate", ["prob", "colour"])
    write(shipped, example, target, names, {name: {0: "n"} for name in ("plate", "prob", "colour")})
    reader: ort.InferenceSession = session(target)
    theirs = reader.run(["prob", "colour"], {"plate": example.numpy()})
    with torch.no_grad():
        ours = shipped(example)
    return max(float(np.abs(a.numpy() - np.asarray(b)).max()) for a, b in zip(ours, theirs, strict=True))


def _right(photos: list[Photo], logits: FloatArray) -> npt.NDArray[np.bool_]:
    return np.array([same(greedy(f, ALPHABET), p.text) for f, p in zip(logits, photos, strict=True)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--onnx", type=Path, default=TARGET)
    options = parser.parse_args()
    net = ReaderNet()
    state = torch.load(options.checkpoint, map_location="cpu", weights_only=True)
    net.load_state_dict(state["average"])
    net.eval()
    photos = [one for one in Checks.gather(options.seed, untaught=True).photos if one.source == "crops_ccpd"]
    logits = read_with_net(net, np.stack([photo.image for photo in photos]))[0]
    right = _right(photos, logits)
    temperature = honest_temperature(logits, right)
    difference = export(net, temperature, options.onnx)
    print(f"{state['seen']} images seen; torch against onnxruntime {difference:.1e}; temperature {temperature}")
    print(table(logits, right, temperature))
    if difference > TOLERANCE:
        raise SystemExit("the exported model differs from the trained one")


if __name__ == "__main__":
    main()
