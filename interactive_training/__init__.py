"""Learn what a training loop does by steering a real PyTorch training run while it runs."""

from interactive_training.engine.difference import first_difference
from interactive_training.engine.errors import (
    BusyError,
    CheckpointError,
    NonFiniteError,
    RecipeError,
    StepError,
    TaskError,
)
from interactive_training.engine.history import History
from interactive_training.engine.loop import rewind, train, walk
from interactive_training.engine.measure import Step
from interactive_training.engine.prove import Proof, prove
from interactive_training.engine.recipe import Recipe
from interactive_training.engine.run import Run
from interactive_training.engine.session import Session
from interactive_training.engine.source import export, source
from interactive_training.engine.task import Task

__all__ = [
    "BusyError",
    "CheckpointError",
    "History",
    "NonFiniteError",
    "Proof",
    "Recipe",
    "RecipeError",
    "Run",
    "Session",
    "Step",
    "StepError",
    "Task",
    "TaskError",
    "export",
    "first_difference",
    "prove",
    "rewind",
    "source",
    "train",
    "walk",
]
