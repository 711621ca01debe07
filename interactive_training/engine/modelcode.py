"""A model as code: the constructor calls that make one like it."""

import ast
import inspect
import textwrap

import torch
from torch import nn

from interactive_training.engine.definitions import source_of
from interactive_training.engine.lines import literal


def model_code(model: nn.Module) -> str | None:
    """The expression that makes this model anew, or None when it cannot be told from the model.

    Layers of torch and stacks of them are told by their constructor calls; a class of the
    learner's own by its name, if it makes the same model without arguments.
    """
    modules = [m for _, m in model.named_modules(remove_duplicate=False)]
    owned = [p for m in modules for p in m.parameters(recurse=False)]
    shared = len(set(modules)) < len(modules) or len(set(owned)) < len(owned)
    stack = None if shared else stack_code(model)
    return stack or own_code(model)


def stack_code(model: nn.Module) -> str | None:
    """The constructor calls of torch's layers and stacks of them, or None."""
    cls = type(model)
    if model._forward_hooks or model._forward_pre_hooks:
        return None
    if not isinstance(model, nn.Sequential) or cls.__init__ is not nn.Sequential.__init__:
        return layer_code(model) if cls.__module__.startswith("torch.nn.") else own_code(model)
    numbered = [name for name, _ in model.named_children()] == [str(i) for i in range(len(model))]
    parts = [stack_code(child) for child in model]
    if None in parts or not numbered:
        return None
    name = "nn.Sequential" if cls is nn.Sequential else cls.__name__
    inside = "".join(textwrap.indent(f"{part},\n", "    ") for part in parts)
    return f"{name}(\n{inside})"


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
            alone = isinstance(value, tuple) and len(value) == 1
            said.append(literal(value[0] if alone else value))
        elif value != default:
            said.append(f"{name}={literal(value)}")
    return f"nn.{type(layer).__name__}({', '.join(said)})"


def own_code(model: nn.Module) -> str | None:
    """The call of the learner's class, if it takes no arguments and makes such a model."""
    cls = type(model)
    if cls.__module__.startswith("torch.nn.") or source_of(cls) is None:
        return None
    try:
        with torch.random.fork_rng(devices=[]):
            made = cls()
    except Exception:
        return None
    alike = str(made) == str(model) and shapes(made) == shapes(model)
    return f"{cls.__name__}()" if alike else None


def shapes(model: nn.Module) -> dict[str, torch.Size]:
    """The shapes of everything that a model's state holds."""
    return {name: tensor.shape for name, tensor in model.state_dict().items()}
