"""What the trainers share: shards in a fixed order, the device, the learning rate, averaging and folding."""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch.optim.swa_utils import AveragedModel

Labels = TypeVar("Labels")


@dataclass(frozen=True, slots=True, eq=False)
class Shard:
    """256 scenes: images uint8 [256,384,640,3], quads [256,6,4,2], traits [256,6,3], proposals [256,n,4,2] or n = 0."""

    images: npt.NDArray[np.uint8]
    quads: npt.NDArray[np.float32]
    traits: npt.NDArray[np.uint8]
    proposals: npt.NDArray[np.float32]


class Conv(nn.Sequential):
    """3x3 convolution (or `size`), batch norm, ReLU."""

    def __init__(self, inside: int, outside: int, size: int = 3, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inside, outside, size, stride, (size - 1) // 2, bias=False),
            nn.BatchNorm2d(outside),
            nn.ReLU(),
        )


class Residual(nn.Module):
    """Two 3x3 convolutions around a shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = Conv(width, width), Conv(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """[N,width,h,w] -> the same shape."""
        seen: Tensor = self.second(self.first(x))
        return x + seen


def begin(seed: int) -> None:
    """One thread, fixed seeds."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)


def device() -> torch.device:
    """The GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def lean() -> torch.autocast:
    """Convolutions in bfloat16, which the CPUs and GPUs of these days do at twice the pace."""
    return torch.autocast(device().type, torch.bfloat16)


def load(folder: Path, stem: str) -> Shard:
    """Open one shard; its images stay on disk until they are looked at."""
    images = np.load(folder / f"{stem}-images.npy", mmap_mode="r")
    proposed = folder / f"{stem}-proposals.npy"
    proposals = np.load(proposed) if proposed.exists() else np.zeros((len(images), 0, 4, 2), np.float32)
    return Shard(images, np.load(folder / f"{stem}-quads.npy"), np.load(folder / f"{stem}-traits.npy"), proposals)


def shards(folder: Path, count: int, seed: int) -> Iterator[Shard]:
    """Endless shards: first in order, waiting for the renderer, then shuffled."""
    rng, order = np.random.default_rng(seed), np.arange(count)
    while True:
        for index in order:
            stem = f"scenes-{index:04d}"
            while not (folder / f"{stem}.done").exists():
                time.sleep(0.5)
            yield load(folder, stem)
        rng.shuffle(order)


def rate(step: int, steps: int, peak: float, warmup: int = 200) -> float:
    """Learning rate: linear warm-up, then a cosine down to a hundredth."""
    if step < warmup:
        return peak * (step + 1) / warmup
    done = (step - warmup) / max(1, steps - warmup)
    return peak * (0.01 + 0.99 * 0.5 * (1 + float(np.cos(np.pi * min(1.0, done)))))


def averaged(net: nn.Module) -> AveragedModel:
    """A running average of weights and batch statistics; this is what ships."""

    def blend(mean: Tensor, new: Tensor, seen: Tensor | int) -> Tensor:
        keep = min(0.998, (1 + int(seen)) / (10 + int(seen)))  # young averages forget faster
        return mean + (new - mean) * (1 - keep) if mean.is_floating_point() else new

    return AveragedModel(net, avg_fn=blend, use_buffers=True)


def optimiser(net: nn.Module, peak: float) -> torch.optim.AdamW:
    """AdamW with decay on weights of two and more dimensions only."""
    decayed = [p for p in net.parameters() if p.dim() > 1]
    plain = [p for p in net.parameters() if p.dim() <= 1]
    groups = [{"params": decayed, "weight_decay": 0.03}, {"params": plain, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=peak)


def normalised(image: Tensor) -> Tensor:
    """uint8 [N,H,W,3] -> float [N,3,H,W], -2..2."""
    return image.permute(0, 3, 1, 2).float() * (1 / 64) - 2.0


def fit(
    net: nn.Module,
    options: argparse.Namespace,
    source: Iterator[tuple[Tensor, Labels]],
    loss: Callable[[Tensor, Labels], Tensor],
) -> nn.Module:
    """Run the steps over batches of uint8 images and labels; keep checkpoints; return the averaged network."""
    net.train().to(device(), memory_format=torch.channels_last)  # type: ignore[call-overload]
    mean, adam = averaged(net), optimiser(net, options.peak)
    begun, seen, recent = time.monotonic(), 0, 0.0
    for step in range(options.steps):
        for group in adam.param_groups:
            group["lr"] = rate(step, options.steps, options.peak)
        images, labels = next(source)
        with lean():
            answer = net(normalised(images.to(device())).contiguous(memory_format=torch.channels_last))
        cost = loss(answer.float(), labels)
        adam.zero_grad(set_to_none=True)
        cost.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        adam.step()
        mean.update_parameters(net)
        seen += len(images)
        recent += (cost.item() - recent) / min(step + 1, 100)
        if step % 100 == 99:
            print(f"step {step + 1} loss {recent:.4f} {seen / (time.monotonic() - begun):.0f} images/s", flush=True)
        if step % 500 == 499 or step + 1 == options.steps:
            torch.save(mean.module.state_dict(), options.out)
    best: nn.Module = mean.module if options.steps else net
    return best.cpu()


def arguments(text: str | None, steps: int, peak: float, onnx: Path) -> argparse.ArgumentParser:
    """The options of both trainers."""
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=Path, required=True)
    parser.add_argument("--shards", type=int, default=64)
    parser.add_argument("--steps", type=int, default=steps)
    parser.add_argument("--peak", type=float, default=peak, help="highest learning rate")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--resume", type=Path, default=None, help="start from this checkpoint's weights")
    parser.add_argument("--out", type=Path, required=True, help="checkpoint with the averaged weights")
    parser.add_argument("--onnx", type=Path, default=onnx)
    return parser


def resume(net: nn.Module, path: Path | None) -> None:
    """Load averaged weights of an earlier run."""
    if path:
        net.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))


def folded(net: nn.Module) -> nn.Module:
    """A copy in evaluation mode with the batch norms folded into the convolutions."""
    twin: nn.Module = copy.deepcopy(net).eval().float()
    twin = twin.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    for part in twin.modules():
        if isinstance(part, Conv) and isinstance(part[0], nn.Conv2d) and isinstance(part[1], nn.BatchNorm2d):
            part[0], part[1] = fuse_conv_bn_eval(part[0], part[1]), nn.Identity()
    return twin
