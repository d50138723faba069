"""The source as data: which module imports what, and how large things are. Read, never imported."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import msgspec

ROOT = Path(__file__).parents[2]
ROOMS = ("shared", "gateway", "worker", "mlx_pool")


class Module(msgspec.Struct, frozen=True):
    """One file: its dotted name, and where it lies."""

    name: str
    path: Path

    @property
    def text(self) -> str:
        """The source."""
        return self.path.read_text("utf-8")


class Function(msgspec.Struct, frozen=True):
    """A function with its length in lines, its own docstring included."""

    name: str
    lines: int


@cache
def modules(room: str = "") -> tuple[Module, ...]:
    """Every module of a room, or of all four."""
    files = sorted(path for each in ROOMS for path in (ROOT / each).rglob("*.py"))
    found = (Module(_dotted(path), path) for path in files)
    return tuple(module for module in found if not room or is_in(module.name, room))


def is_in(name: str, *rooms: str) -> bool:
    """Whether a module is in one of these packages."""
    return any(name == room or name.startswith(f"{room}.") for room in rooms)


@cache
def imports(module: Module) -> frozenset[str]:
    """The modules that this one names in its imports, wherever they stand in it, relative ones spelled out."""
    return frozenset(name for node in ast.walk(_tree(module)) for name in _named(module, node))


def functions(module: Module) -> Iterator[Function]:
    """All functions and methods."""
    for node in ast.walk(_tree(module)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            assert node.end_lineno is not None
            yield Function(f"{module.name}.{node.name}", node.end_lineno - node.lineno + 1)


def reached(start: str) -> set[str]:
    """All that is imported when a module of ours is, over any number of steps inside our rooms."""
    by_name = {module.name: module for module in modules()}
    seen: set[str] = set()
    ahead = [start]
    while ahead:
        name = ahead.pop()
        if name in seen:
            continue
        seen.add(name)
        parents = [name.rsplit(".", n)[0] for n in range(1, name.count(".") + 1)]
        ahead += parents
        if name in by_name:
            ahead += imports(by_name[name])
    return seen


@cache
def _tree(module: Module) -> ast.Module:
    return ast.parse(module.text)


@cache
def _names() -> frozenset[str]:
    return frozenset(module.name for module in modules())


def _dotted(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _named(module: Module, node: ast.AST) -> set[str]:
    match node:
        case ast.Import(names=names):
            return {alias.name for alias in names}
        case ast.ImportFrom(module=base, names=names, level=level):
            target = base or "" if level == 0 else _absolute(module, base, level)
            # `from . import claims` names a module, `from .claims import Claims` something in one.
            return {target} | {f"{target}.{alias.name}" for alias in names if f"{target}.{alias.name}" in _names()}
        case _:
            return set()


def _absolute(module: Module, base: str | None, level: int) -> str:
    package = module.name if module.path.name == "__init__.py" else module.name.rpartition(".")[0]
    for _ in range(level - 1):
        package = package.rpartition(".")[0]
    return f"{package}.{base}" if base else package
