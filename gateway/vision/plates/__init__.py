"""Plates in a picture: a detector proposes, a refiner looks again at each candidate, a reader reads.

Rule: a model is chosen by its card's adapter (`gateway.vision.adapters`); nothing here knows a model by its name.
"""

from gateway.vision.plates.finder import PlateFinder
from gateway.vision.plates.values import COLOURS, PlateDetection, PlateRead, Proposes, Reads, Refines

__all__ = ["COLOURS", "PlateDetection", "PlateFinder", "PlateRead", "Proposes", "Reads", "Refines"]
