"""All exercises by name, for the processes that try and judge."""

from collections.abc import Mapping

from interactive_training.exercises import bowls, graphs, loops, optimizers
from interactive_training.exercises.exercise import Exercise

EXERCISES: Mapping[str, Exercise] = {
    exercise.name: exercise
    for exercise in (
        loops.TRAIN_STEP,
        loops.TRAIN_LOOP,
        bowls.DESCEND,
        bowls.EDGE,
        bowls.BEST_RATE,
        bowls.ROLL,
        graphs.ACCUMULATE,
        graphs.GRAPH_SIZE,
        graphs.MEAN_LOSS,
        optimizers.GROUPS,
        optimizers.ADAM_STEP,
        optimizers.ADAMW_STEP,
    )
}
