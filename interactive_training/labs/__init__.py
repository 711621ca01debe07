"""The labs: controls, live pictures and code for one question each.

With them torch's compiler stays out of the kernel until `torch.compile` asks for it: every learner
on a hub has 70 MB more, and the first lab is there two seconds sooner.
"""

from interactive_training.engine.lean import without_compiler
from interactive_training.labs.bowl import BowlLab
from interactive_training.labs.panels import picture
from interactive_training.labs.prediction import Prediction
from interactive_training.labs.training import TrainingLab

__all__ = ["BowlLab", "Prediction", "TrainingLab", "picture"]

without_compiler()
