"""What a trained detector proposes on rendered scenes, for the refiner to learn: true and false candidates.

    python -m models.train.proposals --scenes /var/tmp/scenes --shards 64

notes them beside each shard.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from gateway.vision.catalogue import Model, open_model
from gateway.vision.plates.corner_map import MOST_CANDIDATES, CornerMap
from models.train.fitting import load

WEAK = 0.12  # a score from which a false candidate is worth learning


def weak(model: Model) -> Model:
    """The same detector, content with less."""
    thresholds = {"score": WEAK, "cell": WEAK}
    return replace(model, card=model.card.model_copy(update={"thresholds": thresholds}))


def note(folder: Path, stem: str, detector: CornerMap) -> None:
    """Write the proposals of one shard, float32 [256, 12, 4, 2], zeros where there are fewer."""
    images = load(folder, stem).images
    quads = np.zeros((len(images), MOST_CANDIDATES, 4, 2), np.float32)
    for index, image in enumerate(images):
        for slot, candidate in enumerate(detector.propose(image)):
            quads[index, slot] = candidate.quad
    np.save(folder / f"{stem}-proposals.npy", quads)


def main() -> None:
    """Note the proposals of every shard."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=Path, required=True)
    parser.add_argument("--shards", type=int, default=64)
    parser.add_argument("--detector", type=Path, default=Path("models/plate-detector"), help="folder of the model")
    options = parser.parse_args()
    detector = CornerMap(weak(open_model(options.detector)))
    for shard in range(options.shards):
        note(options.scenes, f"scenes-{shard:04d}", detector)


if __name__ == "__main__":
    main()
