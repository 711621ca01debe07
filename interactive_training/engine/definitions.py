"""Classes and functions as code, wherever they were typed, with all that they need around them."""

import ast
import builtins
import inspect
import linecache
import symtable
import sys
import sysconfig
import textwrap
from collections import ChainMap
from collections.abc import Iterator, Mapping
from functools import lru_cache
from types import CodeType, FunctionType, ModuleType
from typing import Any

INSTALLED = tuple(sysconfig.get_path(kind) for kind in ("purelib", "platlib", "stdlib"))


class Definitions:
    """What a script has to define before its first line: imports, constants, classes, functions.

    `imports` holds an import line for every name that needs one; `lost` names what is neither
    kept as source nor short enough to print.
    """

    def __init__(self) -> None:
        self.imports = {"torch": "import torch", "nn": "from torch import nn"}
        self.constants: list[str] = []
        self.texts: list[str] = []
        self.complete = True  # whether the source of everything was found
        self.lost: list[str] = []
        self._seen: set[str] = set()

    def add(self, thing: Any, name: str = "") -> None:
        """Add a class or function, called `name` if it is a lambda, after what it needs itself."""
        text = source_of(thing, name)
        surroundings = around(thing)
        for needed in free_names(text or ""):
            if needed in surroundings and needed not in self._seen:
                self._seen.add(needed)
                self._add_named(needed, surroundings[needed])
        if text is None:
            self.complete = False
            self.lost.append(name or thing.__name__)
            text = f"{self.lost[-1]} = ...  # yours; its source is not kept"
        self.texts.append(text)

    def _add_named(self, name: str, value: Any) -> None:
        if isinstance(value, ModuleType):
            self.imports[name] = module_line(value.__name__, name)
        elif isinstance(value, FunctionType) and (not is_installed(value) or is_inner(value)):
            self.add(value, name)
        elif isinstance(value, type) and not is_installed(value):
            self.add(value)
        elif callable(value) and hasattr(value, "__name__"):
            self.imports[name] = member_line(value, name)
        elif is_plain(value):
            self.constants.append(f"{name} = {value!r}")
        else:
            self.lost.append(name)
            self.constants.append(f"{name} = ...  # yours; too much to print")

    @property
    def packages(self) -> set[str]:
        """The packages that the code imports from."""
        return {line.split()[1].partition(".")[0] for line in self.imports.values()}

    @property
    def is_open(self) -> bool:
        """Whether the code may call what cannot be seen from here."""
        known = {"torch", "numpy", "interactive_training", *sys.stdlib_module_names}
        return not self.complete or bool(self.packages - known)

    def __str__(self) -> str:
        blocks = ["\n".join(self.constants)] * bool(self.constants) + self.texts
        return "\n\n\n".join(blocks)


def module_line(module: str, name: str) -> str:
    """The import line that binds a module to a name."""
    package, _, last = module.rpartition(".")
    if module == name:
        return f"import {module}"
    if not package:
        return f"import {module} as {name}"
    return f"from {package} import {last}" + (f" as {name}" if name != last else "")


def member_line(value: Any, name: str) -> str:
    """The import line that binds a class or function to a name, from the outermost package."""
    called = value.__name__
    parts = (value.__module__ or "torch").split(".")  # torch's own functions do not say theirs
    modules = [".".join(parts[: n + 1]) for n in range(len(parts))]
    offers = (m for m in modules if getattr(sys.modules.get(m), called, None) is value)
    renamed = f" as {name}" if name != called else ""
    return f"from {next(offers, modules[-1])} import {called}{renamed}"


def import_lines(lines: set[str]) -> str:
    """Import lines in the usual order: Python's own, installed ones, ours."""
    groups: dict[int, list[str]] = {0: [], 1: [], 2: []}
    for line in sorted(lines, key=lambda line: (line.startswith("from "), line)):
        top = line.split()[1].partition(".")[0]
        at = 2 if top == "interactive_training" else top not in sys.stdlib_module_names
        groups[at].append(line)
    return "\n\n".join("\n".join(group) for group in groups.values() if group)


def free_names(code: str) -> list[str]:
    """The names that code uses without defining them."""
    top = symtable.symtable(code, "code", "exec")
    defined = {s.get_name() for s in top.get_symbols() if s.is_assigned() or s.is_imported()}
    used = {s.get_name() for s in top.get_symbols() if s.is_referenced()}
    for table in inner(top):
        used |= {s.get_name() for s in table.get_symbols() if s.is_global() and s.is_referenced()}
    return sorted(used - defined - set(dir(builtins)))


def inner(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    """Every scope inside a scope."""
    for child in table.get_children():
        yield child
        yield from inner(child)


def is_plain(value: Any) -> bool:
    """Whether a value's printed form makes the same value again."""
    try:
        return bool(ast.literal_eval(repr(value)) == value)
    except (SyntaxError, ValueError):
        return False


def is_installed(thing: Any) -> bool:
    """Whether a class or function comes with Python or a package, and so can be imported."""
    code = code_of(thing)
    module = sys.modules.get(thing.__module__)
    file = getattr(module, "__file__", None) if code is None else code.co_filename
    ours = thing.__module__.startswith("interactive_training.")
    built_in = thing.__module__ in sys.builtin_module_names
    return ours or built_in or (file or "").startswith(INSTALLED)


def is_inner(function: FunctionType) -> bool:
    """Whether a function was made inside another one, so that no import finds it."""
    return "<locals>" in function.__qualname__


def functions_of(thing: Any) -> list[FunctionType]:
    """A function itself, or the functions that a class defines, without their decorators."""
    values = vars(thing).values() if isinstance(thing, type) else [thing]
    plain = (getattr(value, "fget", getattr(value, "__func__", value)) for value in values)
    unwrapped = (inspect.unwrap(value) for value in plain if callable(value))
    return [value for value in unwrapped if isinstance(value, FunctionType)]


def code_of(thing: Any) -> CodeType | None:
    """The compiled code of a function, or of the first function that a class defines."""
    found = functions_of(thing)
    return found[0].__code__ if found else None


def around(thing: Any) -> Mapping[str, Any]:
    """What the names in the source of a class or function stand for."""
    scopes: list[dict[str, Any]] = []
    for function in functions_of(thing):
        scopes += [dict(inspect.getclosurevars(function).nonlocals), function.__globals__]
    if isinstance(thing, type):
        scopes.append({base.__name__: base for base in thing.__mro__[1:]})
        scopes.append(vars(sys.modules.get(thing.__module__, builtins)))
    return ChainMap(*scopes)


def source_of(thing: Any, name: str = "") -> str | None:
    """The source of a class or function, or None where none is kept.

    It is looked up by the place of its code, not by its module: a notebook's cells have the one
    and not the other. A lambda is written as a function called `name`.
    """
    code = code_of(thing)
    if code is None:  # a class without methods
        try:
            return textwrap.dedent(inspect.getsource(thing)).strip()
        except (OSError, TypeError):
            return None
    text = "".join(linecache.getlines(code.co_filename))
    try:
        nodes = list(ast.walk(parsed(text)))
    except SyntaxError:
        return None
    if code.co_name == "<lambda>":
        return lambda_source(code, nodes, name)
    kind = ast.ClassDef if isinstance(thing, type) else ast.FunctionDef
    called = thing.__name__ if isinstance(thing, type) else code.co_name
    found = [
        node
        for node in nodes
        if isinstance(node, kind)
        and node.name == called
        and first_line(node) <= code.co_firstlineno <= (node.end_lineno or 0)
    ]
    if not found:
        return None
    node = max(found, key=first_line)  # the innermost
    lines = text.splitlines()[first_line(node) - 1 : node.end_lineno]
    found_text = textwrap.dedent("\n".join(lines)).strip()
    return found_text.replace(f"def {called}(", f"def {name or called}(", 1)


def lambda_source(code: CodeType, nodes: list[ast.AST], name: str) -> str | None:
    """A lambda as a function; the place of its body tells it from others in the same line."""
    spot = next(((line, col) for line, _, col, end in code.co_positions() if end), (0, 0))
    found = None
    for node in nodes:  # outer ones first
        if isinstance(node, ast.Lambda) and node.lineno == code.co_firstlineno:
            body = node.body
            if (body.lineno, body.col_offset) <= spot < (body.end_lineno, body.end_col_offset):
                found = node
    if found is None:
        return None
    return f"def {name}({ast.unparse(found.args)}):\n    return {ast.unparse(found.body)}"


def first_line(node: ast.ClassDef | ast.FunctionDef) -> int:
    """The line in which a definition begins, decorators included."""
    return min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])


@lru_cache(maxsize=16)
def parsed(text: str) -> ast.Module:
    """The syntax tree of a file or cell."""
    return ast.parse(text)
