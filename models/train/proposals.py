"""The trained files at work (onnxruntime): candidates of the detector, plates of detector and refiner together.

    python -m models.train.proposals --scenes /var/tmp/scenes --shards 64

notes beside each shard what the detector proposes on its scenes: true and false candidates for the refiner to learn.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.train.decode import (
    CANDIDATE_SCORE,
    MAX_CANDIDATES,
    PLATE_SCORE,
    Candidate,
    letterbox,
    place,
    rectify,
    suppress,
    vote,
)
from models.train.fitting import load
from models.train.photos import session

Image = npt.NDArray[np.uint8]

WEAK = 0.12  # a score from which a false candidate is worth learning


class Proposer:
    """The detector alone."""

    def __init__(self, path: Path, least: float = CANDIDATE_SCORE) -> None:
        self._session, self._least = session(path), least

    def candidates(self, image: Image) -> list[Candidate]:
        """Candidates in image pixels, best first."""
        canvas, scale = letterbox(image)
        score, corners, rows, colour = self._session.run(None, {"image": canvas})
        return vote(score, corners, rows, colour, scale, self._least)


class Finder:
    """Detector and refiner."""

    def __init__(self, detector: Path, refiner: Path) -> None:
        self._proposer, self._session = Proposer(detector), session(refiner)

    def plates(self, image: Image) -> list[Candidate]:
        """Plates in image pixels, best first; the score is the refiner's."""
        candidates = self._proposer.candidates(image)
        if not candidates:
            return []
        cuts = [rectify(image, candidate.quad) for candidate in candidates]
        answers = self._session.run(None, {"patch": np.stack([patch for patch, _ in cuts])})
        found = [
            Candidate(place(corners, matrix), float(score), float(rows), colour)
            for (_, matrix), corners, score, rows, colour in zip(cuts, *answers, strict=True)
            if score >= PLATE_SCORE
        ]
        return suppress(found)


def note(folder: Path, stem: str, proposer: Proposer) -> None:
    """Write the proposals of one shard, float32 [256, 12, 4, 2], zeros where there are fewer."""
    images = load(folder, stem).images
    quads = np.zeros((len(images), MAX_CANDIDATES, 4, 2), np.float32)
    for index, image in enumerate(images):
        for slot, candidate in enumerate(proposer.candidates(image)):
            quads[index, slot] = candidate.quad
    np.save(folder / f"{stem}-proposals.npy", quads)


def main() -> None:
    """Note the proposals of every shard, weak ones included."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=Path, required=True)
    parser.add_argument("--shards", type=int, default=64)
    parser.add_argument("--detector", type=Path, default=Path("models/plate-detector/plate-detector.onnx"))
    options = parser.parse_args()
    proposer = Proposer(options.detector, least=WEAK)
    for shard in range(options.shards):
        note(options.scenes, f"scenes-{shard:04d}", proposer)


if __name__ == "__main__":
    main()
