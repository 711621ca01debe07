"""The labs: controls, live pictures and code for one question each."""

from interactive_training.labs.bowl import BowlLab
from interactive_training.labs.panels import picture
from interactive_training.labs.prediction import Prediction
from interactive_training.labs.training import TrainingLab

__all__ = ["BowlLab", "Prediction", "TrainingLab", "picture"]
