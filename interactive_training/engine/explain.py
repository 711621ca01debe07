"""What torch says when an order of lines cannot work, and what it means."""

# A part of torch's sentence, and ours.
SENTENCES: tuple[tuple[str, str], ...] = (
    (
        "modified by an inplace operation",
        "step moved the weights that backward still needed; put backward before step.",
    ),
    (
        "backward through the graph a second time",
        "backward stands twice, and the first one used up the graph; drop one of them.",
    ),
    (
        "does not require grad",
        "there is no graph to go back through; turn grad on and put forward before backward.",
    ),
    (
        "'NoneType' object has no attribute 'backward'",
        "there is no loss to go back from; put forward before backward.",
    ),
    (
        "unsupported operand type(s) for *: 'NoneType'",
        "there is no loss to go back from; put forward before backward.",
    ),
    (
        "unscale_() has already been called",
        "unscale_ ran twice with no scaler.update() between; put step back, which ends with it.",
    ),
    (
        "No inf checks were recorded",
        "step found no gradients to check; put backward before step.",
    ),
    (
        "_scale is None",
        "nothing has been scaled yet; put backward before unscale and step.",
    ),
    (
        "Expected more than 1 value per channel",
        "BatchNorm cannot normalize one row; choose another batch_size.",
    ),
)
OTHERWISE = "look at the model's forward and at the order of the lines."


def explained(step: int, error: Exception) -> str:
    """Our sentence for an error that torch raised in step `step`, followed by torch's own."""
    torchs = str(error).strip().split("\n")[0] or type(error).__name__
    ours = next((ours for part, ours in SENTENCES if part in str(error)), OTHERWISE)
    return f'step {step} could not be taken and the run is back before it: {ours} Torch: "{torchs}"'
