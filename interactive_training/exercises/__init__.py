"""The teacher: facts that a notebook states and checks."""

from interactive_training.exercises.facts import fact

__all__ = ["fact"]
