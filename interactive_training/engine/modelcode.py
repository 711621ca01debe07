"""A model as code: constructor calls of torch's layers, and the source of the learner's classes."""

import ast
import inspect
import textwrap
from collections.abc import Callable
from typing import Any

from torch import nn


def model_code(model: nn.Module) -> str | None:
    """The expression that makes this model anew, or None when it cannot be told from the model.

    Layers of torch and stacks of them are told by their constructor calls; a class of the
    learner's own by its name, if it can be made without arguments.
    """
    cls = type(model)
    if isinstance(model, nn.Sequential) and cls.__init__ is nn.Sequential.__init__:
        parts = [model_code(child) for child in model]
        if None in parts or [name for name, _ in model.named_children()] != [
            str(i) for i in range(len(parts))
        ]:
            return None
        name = "nn.Sequential" if cls is nn.Sequential else cls.__name__
        inside = "".join(textwrap.indent(f"{part},\n", "    ") for part in parts)
        return f"{name}(\n{inside})"
    if cls.__module__.startswith("torch.nn."):
        return layer_code(model)
    required = [
        p
        for p in list(inspect.signature(cls).parameters.values())
        if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]
    return None if required or not class_sources(model) else f"{cls.__name__}()"


def layer_code(layer: nn.Module) -> str | None:
    """The constructor call of one of torch's layers, with what differs from the defaults."""
    if any(True for _ in layer.children()):
        return None
    try:
        shown = ast.parse(f"f({layer.extra_repr()})", mode="eval").body
        assert isinstance(shown, ast.Call)
        parameters = inspect.signature(type(layer)).parameters
        given = dict(zip(parameters, map(ast.literal_eval, shown.args), strict=False))
        given |= {str(k.arg): ast.literal_eval(k.value) for k in shown.keywords}
    except (SyntaxError, ValueError):
        return None
    said = []
    for name, value in given.items():
        if name not in parameters:
            return None
        default = parameters[name].default
        if default is inspect.Parameter.empty:
            said.append(repr(value))
        elif value != default:
            said.append(f"{name}={value!r}")
    return f"nn.{type(layer).__name__}({', '.join(said)})"


def class_sources(model: nn.Module) -> list[str]:
    """The source of every class in the model that is not torch's, in order of first use."""
    found: dict[type, str] = {}
    for module in model.modules():
        cls = type(module)
        if not cls.__module__.startswith("torch.nn.") and cls not in found and not _height(cls):
            try:
                found[cls] = textwrap.dedent(inspect.getsource(cls)).strip()
            except (OSError, TypeError):
                continue  # typed at a prompt that keeps no source
    return list(found.values())


def _height(cls: type) -> bool:
    return cls.__name__ == "Height" and cls.__module__.startswith("interactive_training.")


def function_source(function: Callable[..., Any], name: str) -> str:
    """The source of a function, or of a lambda as a function called `name`."""
    try:
        text = textwrap.dedent(inspect.getsource(function)).strip()
    except (OSError, TypeError):
        return f"{name} = ...  # your function here"
    if text.startswith("def "):
        return text
    try:
        tree = ast.parse(text.rstrip(","))
    except SyntaxError:
        return f"{name} = ...  # your function here"
    for node in ast.walk(tree):
        if isinstance(node, ast.Lambda):
            arguments = ast.unparse(node.args)
            return f"def {name}({arguments}):\n    return {ast.unparse(node.body)}"
    return f"{name} = ...  # your function here"
