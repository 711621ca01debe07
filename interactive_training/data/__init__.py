"""What there is to learn: real digits, and sets made from a formula and a seed."""

from interactive_training.data.made import blobs, circles, moons, regression, spirals, xor
from interactive_training.data.real import digits
from interactive_training.data.split import Data

__all__ = ["Data", "blobs", "circles", "digits", "moons", "regression", "spirals", "xor"]
