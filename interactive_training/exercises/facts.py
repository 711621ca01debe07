"""Facts: numbers that a notebook prints, and that its test compares with what is stored."""

from math import isfinite


def fact(name: str, value: object, digits: int = 3) -> None:
    """Print a fact, numbers rounded to `digits` significant digits so that every computer agrees.

    Notice: nothing in these notebooks is claimed that a cell like this does not compute.
    """
    if isinstance(value, float) and isfinite(value):
        value = f"{value:.{digits}g}"
    print(f"{name}: {value}")
