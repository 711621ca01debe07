"""The lines of a training step as code: the stages' own source, cut to what a recipe does.

The branches that the recipe takes are kept, values stand in place of its fields, and what is an
attribute of the run becomes a plain name. Nothing describes a line a second time.
"""

import ast
import inspect
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from interactive_training.engine import stages
from interactive_training.engine.plan import placed
from interactive_training.engine.recipe import Recipe
from interactive_training.engine.task import Task

# Names that a script with a surface uses itself.
TAKEN = ("w", "p", "step", "loss", "optimizer", "scheduler", "torch", "nn")


@dataclass(frozen=True)
class Line:
    """The code of one stage, and the micro-batches of a group in which it runs.

    `when` is "each", "first" or "last"; `code` is empty when the stage has nothing to do.
    """

    stage: str
    when: str
    code: str


def step_lines(
    recipe: Recipe, task: Task, device: str = "cpu", names: Mapping[str, str] | None = None
) -> list[Line]:
    """The lines of one training step in the recipe's order, as they will run.

    `names` may give code to put in place of more expressions of the stages.
    """
    known = {
        "run.device.type": f'"{device}"',
        "run.amp_dtype": f"torch.{recipe.amp}",
    }
    if task.is_surface:
        known |= {"run.model()": f"{surface_name(task)}(w)", "run.model.parameters()": "[w]"}
    if one_by_one(recipe, task):
        known["run.groups"] = "(step + 1)"
    known |= names or {}
    return [
        Line(stage, when, code_of(stage, recipe, task, known)) for stage, when in placed(recipe)
    ]


def one_by_one(recipe: Recipe, task: Task) -> bool:
    """Whether every micro-batch is a group of its own."""
    return recipe.accumulate == 1 or task.is_surface


def surface_name(task: Task) -> str:
    """What the function of a surface is called in code, where other names are taken."""
    name: str = getattr(task.model.function, "__name__", "surface")
    return name if name.isidentifier() and name not in TAKEN else "surface"


def code_of(stage: str, recipe: Recipe, task: Task, names: Mapping[str, str]) -> str:
    """The code of one stage, without indentation."""
    import libcst as cst

    known = {"recipe": recipe, "task": task}
    if task.is_surface:
        known["epoch_ends"] = True  # its one row is a whole epoch
    statements = fold(parsed(stage), known)
    renamed = [statement.visit(_renamer()(recipe, names)) for statement in statements]
    return cst.Module(body=renamed).code.strip("\n")


@lru_cache(maxsize=64)
def parsed(stage: str) -> Sequence[Any]:
    """The statements of a stage's source, without its docstring."""
    import libcst as cst

    module = cst.parse_module(inspect.getsource(getattr(stages, stage)))
    function = cst.ensure_type(module.body[0], cst.FunctionDef)
    return function.body.body[1:]


def fold(statements: Sequence[Any], known: Mapping[str, Any]) -> list[Any]:
    """The statements with every `if` on the recipe or the task decided."""
    import libcst as cst

    kept: list[Any] = []
    for statement in statements:
        if not isinstance(statement, cst.If):
            if isinstance(statement, (cst.With, cst.For)):
                body = fold(statement.body.body, known)
                statement = statement.with_changes(body=statement.body.with_changes(body=body))
            kept.append(statement)
            continue
        truth = decided(cst.Module([]).code_for_node(statement.test), known)
        if truth is None:
            body = fold(statement.body.body, known)
            kept.append(statement.with_changes(body=statement.body.with_changes(body=body)))
        elif truth:
            kept += fold(statement.body.body, known)
        elif isinstance(statement.orelse, cst.If):
            kept += fold([statement.orelse], known)
        elif statement.orelse is not None:
            kept += fold(statement.orelse.body.body, known)
    return kept


def decided(condition: str, known: Mapping[str, Any]) -> bool | None:
    """Whether a condition holds, or None when it asks for more than the recipe and the task."""
    try:
        return bool(value_of(tree(condition), known))
    except LookupError:
        return None


@cache
def tree(condition: str) -> ast.expr:
    """An expression of the stages as a tree: parsed once, beside whatever other threads parse."""
    return ast.parse(condition, mode="eval").body


def value_of(node: ast.expr, known: Mapping[str, Any]) -> Any:
    """The value of an expression in comparisons, `and`, `not` and attributes of what is known."""
    match node:
        case ast.Constant(value):
            return value
        case ast.Attribute(ast.Name("recipe"), name):
            return getattr(known["recipe"], name)
        case ast.Attribute(ast.Attribute(ast.Name("run"), "task"), name):
            return getattr(known["task"], name)
        case ast.Attribute(ast.Name("run"), name) if name in known:
            return known[name]
        case ast.UnaryOp(ast.Not(), operand):
            return not value_of(operand, known)
        case ast.BoolOp(ast.And(), values):
            return all(value_of(value, known) for value in values)
        case ast.Compare(left, [operator], [right]):
            one, other = value_of(left, known), value_of(right, known)
            match operator:
                case ast.Eq():
                    return one == other
                case ast.Gt():
                    return one > other
                case ast.IsNot():
                    return one is not other
    raise LookupError


@lru_cache(maxsize=1)
def _renamer() -> Any:
    """The transformer that turns a stage's names into a script's; libcst loads at first use."""
    import libcst as cst

    class Renamer(cst.CSTTransformer):
        def __init__(self, recipe: Recipe, names: Mapping[str, str]) -> None:
            super().__init__()
            self.recipe, self.names = recipe, names

        def on_visit(self, node: Any) -> bool:
            return not isinstance(node, (cst.Attribute, cst.Call)) or self._name(node) is None

        def on_leave(self, original: Any, updated: Any) -> Any:
            if isinstance(original, (cst.Attribute, cst.Call)):
                name = self._name(original)
                if name is not None:
                    return cst.parse_expression(name)
            return super().on_leave(original, updated)

        def _name(self, node: Any) -> str | None:
            text = cst.Module([]).code_for_node(node)
            if text in self.names:
                return self.names[text]
            owner, dot, attribute = text.partition(".")
            if not dot or not attribute.isidentifier():
                return None
            if owner == "recipe":
                return literal(getattr(self.recipe, attribute))
            return attribute if owner == "run" else None

    return Renamer


def literal(value: Any) -> str:
    """A value as Python code, with double quotes."""
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return f'float("{value}")'
    return repr(value)


def call(name: str, values: Mapping[str, Any], first: str = "") -> str:
    """A call as code, such as `nn.Linear(bias=False)`; `first` is put before the values."""
    parts = [first] * bool(first) + [f"{key}={literal(value)}" for key, value in values.items()]
    return f"{name}({', '.join(parts)})"


def indented(code: str, levels: int = 1) -> str:
    """Code moved to the right by so many levels."""
    return textwrap.indent(code, "    " * levels)
