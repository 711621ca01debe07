"""Training: Task, Recipe, Run, and the loop that takes one through the other."""
