"""The teacher: questions before the answer, facts that a notebook checks, exercises with checks.

A check tries a solution on random inputs in a process of its own, with limits on time and memory,
and returns a Result that says which property failed on which input. It raises nothing and stores
no answers. The notebook's kernel belongs to the learner, who can change anything in it: where
marks depend on a check, run the notebook anew in a container, as nbgrader and otter do.
"""

from interactive_training.exercises.bowls import (
    check_best_rate,
    check_descend,
    check_edge,
    check_roll,
)
from interactive_training.exercises.facts import fact
from interactive_training.exercises.graphs import (
    check_accumulate,
    check_graph_size,
    check_mean_loss,
)
from interactive_training.exercises.loops import check_train_loop, check_train_step
from interactive_training.exercises.optimizers import (
    check_adam_step,
    check_adamw_step,
    check_groups,
)
from interactive_training.exercises.predictions import PredictionError, Question
from interactive_training.exercises.result import Result

__all__ = [
    "PredictionError",
    "Question",
    "Result",
    "check_accumulate",
    "check_adam_step",
    "check_adamw_step",
    "check_best_rate",
    "check_descend",
    "check_edge",
    "check_graph_size",
    "check_groups",
    "check_mean_loss",
    "check_roll",
    "check_train_loop",
    "check_train_step",
    "fact",
]
