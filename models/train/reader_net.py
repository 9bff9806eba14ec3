"""The plate reader: a small convolutional net, 48x168 in, 42 frames of characters and one colour out.

Stem and four stages of 3x3 convolutions bring 48x168 to 3x42; a 3x1 convolution reads each column, two 1x5
convolutions let a frame see its neighbours (which tells the letter O in second place from a zero).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.train.numbers import ALPHABET, COLOURS

Pair = tuple[int, int]
FRAMES = 42
CHANNELS = (32, 56, 80, 112, 144)


def _conv(inputs: int, outputs: int, kernel: Pair, stride: Pair, pad: Pair) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, pad, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class ReaderNet(nn.Module):
    """Input float [n, 3, 48, 168], -1..1; output frame logits [n, 42, 1 + alphabet] and colour logits [n, 5]."""

    def __init__(self) -> None:
        super().__init__()
        stem, one, two, three, four = CHANNELS
        square, same = (3, 3), (1, 1)
        self.early = nn.Sequential(
            _conv(3, stem, square, (2, 2), same),
            _conv(stem, one, square, (2, 2), same),
            _conv(one, one, square, same, same),
            _conv(one, two, square, same, same),
        )
        self.late = nn.Sequential(
            _conv(two, three, square, (2, 1), same),
            _conv(three, three, square, same, same),
            _conv(three, four, square, (2, 1), same),
            _conv(four, four, square, same, same),
            _conv(four, four, (3, 1), same, (0, 0)),
            _conv(four, four, (1, 5), same, (0, 2)),
            _conv(four, four, (1, 5), same, (0, 2)),
        )
        self.drop = nn.Dropout(0.1)
        self.characters = nn.Conv1d(four, 1 + len(ALPHABET), 1)
        self.colour = nn.Sequential(nn.Linear(two, 32), nn.ReLU(), nn.Linear(32, len(COLOURS)))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        early = self.early(image)
        frames = self.late(early).squeeze(2)
        logits = self.characters(self.drop(frames)).transpose(1, 2)
        return logits, self.colour(early.mean((2, 3)))


class Shipped(nn.Module):
    """The net as it is exported: uint8 [n, 48, 168, 3] BGR in; frame and colour probabilities out."""

    def __init__(self, net: ReaderNet, temperature: float) -> None:
        super().__init__()
        self.net, self.temperature = net, temperature

    def forward(self, plate: Tensor) -> tuple[Tensor, Tensor]:
        image = plate.permute(0, 3, 1, 2).to(torch.float32) / 127.5 - 1.0
        logits, colour = self.net(image)
        return torch.softmax(logits / self.temperature, 2), torch.softmax(colour, 1)
