"""Who is it: one face against 100,000 templates, by the whole rule, and the bare product of the same matrix and vector.

33,334 people with three templates of 128 numbers each. The floor is `matrix @ vector` and nothing else, in turn. Both
run in a process of their own, on one thread as in the vision child; what is measured is the processor's time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from rich.progress import Progress

from gateway.supervisor import QUIET
from gateway.vision.gallery import Gallery, Rule
from tests.bench.figures import Aim, Figure, Report, percentile, worked
from tests.bench.site import ROOT

TEMPLATES, EACH, LENGTH = 100_000, 3, 128
ROUNDS = 500
_WARM = 10
_RULE = Rule(match=0.45, margin=0.08, alone=0.4, per_tenfold=0.045, cohort=0.29)


def bench(_folder: Path, progress: Progress) -> Report:
    progress.add_task("searches, and bare products in turn", total=None)
    command = [sys.executable, "-m", "tests.bench.search"]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **QUIET}, stdout=subprocess.PIPE, check=True)
    took, bare = json.loads(done.stdout)
    return Report(
        [Figure("one face, median", percentile(took, 0.5), "ms", percentile(bare, 0.5), Aim("ratio", "≤", 1.3))],
        [f"{TEMPLATES} templates of {-(-TEMPLATES // EACH)} people, {ROUNDS} faces, none of them enrolled; one thread"],
    )


def main() -> None:
    """Print the milliseconds of each search and of each bare product."""
    dice = np.random.default_rng(7)
    matrix = dice.normal(size=(TEMPLATES, LENGTH)).astype("<f4")
    gallery = Gallery([(f"h:{row // EACH}", values.tobytes()) for row, values in enumerate(matrix)], _RULE)
    took, bare = [], []
    for face in dice.normal(size=(_WARM + ROUNDS, LENGTH)).astype(np.float32):
        took.append(worked(lambda: gallery.match(face)) * 1000)  # noqa: B023, called at once
        bare.append(worked(lambda: matrix @ face) * 1000)  # noqa: B023
    print(json.dumps([took[_WARM:], bare[_WARM:]]))


if __name__ == "__main__":
    main()
