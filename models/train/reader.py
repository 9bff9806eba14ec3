"""Train the plate reader from rendered plates alone.

    python -m models.train.reader_shards --out SHARDS --seed 7 &
    python -m models.train.reader --shards SHARDS --work WORK --seed 7 --images 1228800

Each rendered shard is read three times: when it is new, and twice more, in another light, some shards later. The
learning rate warms up, stays, and falls over the last quarter of --images; a checkpoint is kept where the fall begins,
so --resume WORK/plateau.pt with more --images goes on as if the run had been planned longer. Loss: CTC, plus
cross-entropy per frame (the renderer knows where the characters stand), plus the colour's cross-entropy.
`--photographs` (made by models.train.taught) puts a few photographed plates into each batch from where the rate falls;
the figures that are printed then come from the other half of the photographs alone.
See models/plate-reader/CARD.md for a whole run.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.train.evaluate_reader import Checks, report
from models.train.fitting import begin, device, lean
from models.train.reader_net import ReaderNet
from models.train.reader_shards import SHARD, UNKNOWN, shard_path

BATCH = 128
RATE = 2e-3
WARM = 8_000
FALL = 0.25
AVERAGE = 0.998
AUX, COLOUR = 0.7, 0.3
KEEP = 40
READS = 3
PHOTOGRAPHS = 6  # in a batch


def schedule(seen: int, images: int) -> float:
    """Learning rate after `seen` of `images` images."""
    fall = (images - seen) / (FALL * images)
    return RATE * min(1.0, (seen + BATCH) / WARM, max(fall, 0.002))


def order(seed: int, start: int) -> Iterator[int]:
    """Shard numbers in reading order from step `start`: each new shard is followed by two of the last 16."""
    for step in range(start, 10**9):
        newest = step // READS
        again = random.Random(seed * 1_000_003 + step).randrange(max(0, newest - 16), newest + 1)
        yield again if step % READS else newest


def load(folder: Path, number: int) -> dict[str, Tensor]:
    """Wait for a shard and read it; tell the generator how far the trainer is."""
    path = shard_path(folder, number)
    while not path.exists():
        time.sleep(0.5)
    (folder / "read").write_text(str(number))
    if (stale := shard_path(folder, number - KEEP)).exists():
        stale.unlink()
    with np.load(path) as arrays:
        return {name: torch.from_numpy(arrays[name]) for name in arrays.files}


def batches(shard: dict[str, Tensor], generator: torch.Generator) -> Iterator[dict[str, Tensor]]:
    """Yield a shard's images in batches, shuffled, each time in another light."""
    for chosen in torch.randperm(SHARD, generator=generator).split(BATCH):  # type: ignore[no-untyped-call]
        batch = {name: array[chosen] for name, array in shard.items()}
        batch["images"] = relit(batch["images"], generator)
        yield batch


def relit(images: Tensor, generator: torch.Generator) -> Tensor:
    """Images uint8 [n, h, w, 3] a little brighter or darker, with more or less contrast and another white balance."""
    count = len(images)
    gain = 1 + 0.2 * (2 * torch.rand(count, 1, 1, 1, generator=generator) - 1)
    tint = 1 + 0.06 * torch.randn(count, 1, 1, 3, generator=generator)
    lift = 12 * torch.randn(count, 1, 1, 1, generator=generator)
    return (images * (gain * tint) + lift).clamp_(0, 255).to(torch.uint8)


def loss_of(net: nn.Module, batch: dict[str, Tensor]) -> Tensor:
    """The training loss of one batch."""
    images = batch["images"].permute(0, 3, 1, 2).float().div_(127.5).sub_(1.0)
    with lean():
        logits, colour = net(images.contiguous(memory_format=torch.channels_last))
    logits, colour = logits.float(), colour.float()
    frames = batch["frames"].long()
    labels = batch["labels"].long()
    sizes = torch.full((len(labels),), logits.shape[1], dtype=torch.long)
    steps = logits.log_softmax(2).transpose(0, 1)
    ctc = functional.ctc_loss(steps, labels, sizes, (labels > 0).sum(1), zero_infinity=True)
    aux = functional.cross_entropy(logits.flatten(0, 1), frames.flatten(), ignore_index=UNKNOWN)
    return ctc + AUX * aux + COLOUR * functional.cross_entropy(colour, batch["colours"].long())


class Run:
    """A training run: the net, its running average, the optimiser and how many images they have seen."""

    def __init__(self, seed: int) -> None:
        self.net = ReaderNet().to(device(), memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = ReaderNet().to(device())
        self.average.load_state_dict(self.net.state_dict())
        self.optimiser = torch.optim.AdamW(self.net.parameters(), RATE, weight_decay=0.02)
        self.seed, self.seen = seed, 0

    def step(self, batch: dict[str, Tensor], rate: float) -> float:
        """One step of the optimiser; return the loss."""
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        loss = loss_of(self.net, {name: array.to(device()) for name, array in batch.items()})
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.net.parameters(), 5.0)
        self.optimiser.step()
        self.seen += BATCH
        keep = min(AVERAGE, self.seen / (self.seen + 20 * BATCH))
        mine = self.net.state_dict()
        for name, value in self.average.state_dict().items():
            if value.is_floating_point():
                value.lerp_(mine[name], 1 - keep)
        return float(loss.detach())

    def save(self, path: Path) -> None:
        """Write everything needed to go on."""
        parts = {"net": self.net, "average": self.average, "optimiser": self.optimiser}
        torch.save({name: part.state_dict() for name, part in parts.items()} | {"seen": self.seen}, path)

    def restore(self, path: Path) -> None:
        """Go on from a checkpoint."""
        state = torch.load(path, map_location=device(), weights_only=True)
        self.net.load_state_dict(state["net"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.seen = int(state["seen"])


def joined(batch: dict[str, Tensor], photographs: dict[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
    """The batch with its last images replaced by photographed plates, in another light each time."""
    chosen = torch.randint(len(photographs["images"]), (PHOTOGRAPHS,), generator=generator)
    some = {name: array[chosen] for name, array in photographs.items()}
    some["images"] = relit(some["images"], generator)
    return {name: torch.cat([array[:-PHOTOGRAPHS], some[name]]) for name, array in batch.items()}


def train(
    run: Run, shards: Path, work: Path, images: int, checks: Checks, photographs: dict[str, Tensor] | None = None
) -> None:
    """Train until `images` images are seen; report about every 25,000 and keep checkpoints in `work`."""
    start, begun, losses = run.seen // SHARD, time.monotonic(), []
    for step, number in enumerate(order(run.seed, start), start):
        run.net.train()
        generator = torch.Generator().manual_seed(run.seed * 7919 + step)
        shard = load(shards, number)
        for batch in batches(shard, generator):
            if photographs is not None and run.seen >= (1 - FALL) * images:
                batch = joined(batch, photographs, generator)
            losses.append(run.step(batch, schedule(run.seen, images)))
        if (step + 1) % 12 == 0 or run.seen >= images:
            seconds = time.monotonic() - begun
            figures = report(run.average, checks)
            print(f"{run.seen} images, {seconds:.0f} s, loss {np.mean(losses):.4f}: {figures}", flush=True)
            losses.clear()
            run.save(work / "last.pt")
        if run.seen <= (1 - FALL) * images:
            run.save(work / "plateau.pt")
        if run.seen >= images:
            run.save(work / "final.pt")
            return


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shards", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--images", type=int, default=1_228_800)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--resume", type=Path)
    parser.add_argument("--photographs", type=Path, help="made by models.train.taught")
    options = parser.parse_args()
    begin(options.seed)
    options.work.mkdir(parents=True, exist_ok=True)
    run = Run(options.seed)
    if options.resume:
        run.restore(options.resume)
    photographs = None
    if options.photographs:
        with np.load(options.photographs) as arrays:
            photographs = {name: torch.from_numpy(arrays[name]) for name in arrays.files}
    checks = Checks.gather(options.seed, untaught=photographs is not None)
    train(run, options.shards, options.work, options.images, checks, photographs)


if __name__ == "__main__":
    main()
