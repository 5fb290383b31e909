"""The shape of the code in figures: files, functions, imports, words, tests.

python tools/shape.py
python tools/shape.py --folders

prints the table of docs/design.md; `tests/test_shape.py` holds its limits.
"""

import argparse
import ast
import dataclasses
import functools
import pathlib
import statistics
from collections.abc import Iterator

ROOT = pathlib.Path(__file__).parents[1]
PACKAGE, TESTS = ROOT / "ns_tf", ROOT / "tests"

# A folder (or a file at the root) imports from those before it, never from its own line
# or a later one. `__main__` files stand above all of them.
ORDER = (
    "parts scores",
    "base",
    "registry run render graph",
    "cli networks",
    "devices",
    "scaling",
    "budgets data",
    "engine problem",
    "crew train",
    "prune",
    "condense slim",
    "descend",
    "measure",
    "plan export inspect",
    "compare tune",
    "report",
    "api",
)


@dataclasses.dataclass(frozen=True)
class Module:
    """A file of the package."""

    name: str  # Below ns_tf, as "graph.walk"; of a package's `__init__`, the package.
    path: pathlib.Path
    tree: ast.Module
    lines: int

    @property
    def folder(self) -> str:
        """The folder at the root that it is in, or its own name."""
        return self.name.split(".")[0]

    def functions(self) -> Iterator[ast.FunctionDef]:
        """All functions in it, methods and functions within functions too."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node


@functools.cache
def modules() -> tuple[Module, ...]:
    """All files of the package but the programs that `ns_tf.export` starts."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        name = name.removesuffix(".__init__")
        if name != "__init__" and not name.startswith("export.runtimes"):
            text = path.read_text()
            found.append(Module(name, path, ast.parse(text), len(text.splitlines())))
    return tuple(found)


def has_code(module: Module) -> bool:
    """Whether there is more in it than a docstring and imports."""
    idle = (ast.Import, ast.ImportFrom, ast.Expr)
    return any(not isinstance(node, idle) for node in module.tree.body)


def test_of(module: Module) -> pathlib.Path:
    """Where the tests of a module are.

    `graph/walk.py` has `tests/graph/test_walk.py`, a package's `__init__.py` a file of
    the package's name in its folder, a command `tests/commands/test_COMMAND.py`.
    """
    *folders, last = module.name.split(".")
    if last == "__main__":
        return TESTS / "commands" / f"test_{folders[-1]}.py"
    if module.path.name == "__init__.py":
        folders.append(last)
    return TESTS.joinpath(*folders) / f"test_{last}.py"


def imported(module: Module) -> set[str]:
    """Folders (or files at the root) that a module imports, in functions as well."""
    known = {p.stem if p.suffix else p.name for p in PACKAGE.iterdir()}
    names = set()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            parts = node.module.split(".")
            if parts[0] == "ns_tf":
                rest = parts[1:2] or [alias.name for alias in node.names]
                names |= set(rest) & known
    return names - {module.folder}


def imports_back() -> list[str]:
    """What imports from its own line of `ORDER`, or from a later one."""
    line = {name: i for i, names in enumerate(ORDER) for name in names.split()}
    return [
        f"{module.name} imports {other}"
        for module in modules()
        if not module.name.endswith("__main__")
        for other in sorted(imported(module))
        if line[other] >= line[module.folder]
    ]


def docstring_lines(tree: ast.AST) -> int:
    """Lines of all docstrings."""
    total = 0
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(tree):
        if isinstance(node, kinds) and ast.get_docstring(node, clean=False) is not None:
            first = node.body[0]
            total += first.end_lineno - first.lineno + 1
    return total


def body_lines(function: ast.FunctionDef) -> int:
    """Lines of a function below its docstring."""
    body = function.body
    if ast.get_docstring(function, clean=False) is not None:
        body = body[1:]
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


def parameters(function: ast.FunctionDef) -> int:
    """Parameters that a call has to give, or may give by place; not `self`."""
    arguments = function.args
    given = [a.arg for a in (*arguments.posonlyargs, *arguments.args)]
    pairs = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    given += [argument.arg for argument, default in pairs if default is None]
    return len([name for name in given if name not in ("self", "cls")])


def code_lines(path: pathlib.Path) -> int:
    """Lines that are not blank."""
    return sum(bool(line.strip()) for line in path.read_text().splitlines())


@dataclasses.dataclass(frozen=True)
class Shape:
    """The figures."""

    files: int
    lines: tuple[int, int, int]  # Of a file: median, 90th percentile, most.
    functions: int
    bodies: tuple[int, int, int]  # Lines of a function's body.
    parameters: tuple[int, int, int]
    imports_back: int
    without_test: tuple[str, ...]  # Modules that have no test of their name.
    docstrings: float  # Share of the package's lines that are not blank.
    tests: float  # Lines of tests to a line of the package, its docstrings left out.


def _spread(values: list[int]) -> tuple[int, int, int]:
    ninth = statistics.quantiles(values, n=10)[-1]
    return round(statistics.median(values)), round(ninth), max(values)


@functools.cache
def shape() -> Shape:
    """The figures of the working tree."""
    files = modules()
    functions = [function for module in files for function in module.functions()]
    code = sum(code_lines(module.path) for module in files)
    docstrings = sum(docstring_lines(module.tree) for module in files)
    tests = sum(code_lines(path) for path in TESTS.rglob("*.py"))
    return Shape(
        files=len(files),
        lines=_spread([module.lines for module in files]),
        functions=len(functions),
        bodies=_spread([body_lines(function) for function in functions]),
        parameters=_spread([parameters(function) for function in functions]),
        imports_back=len(imports_back()),
        without_test=tuple(
            m.name for m in files if has_code(m) and not test_of(m).exists()
        ),
        docstrings=docstrings / code,
        tests=tests / (code - docstrings),
    )


def table(found: Shape) -> str:
    """The figures in Markdown."""
    rows = [
        ("files", f"{found.files}"),
        ("lines a file: median, p90, most", ", ".join(map(str, found.lines))),
        ("functions", f"{found.functions}"),
        ("lines a body: median, p90, most", ", ".join(map(str, found.bodies))),
        ("parameters: median, p90, most", ", ".join(map(str, found.parameters))),
        ("imports back", f"{found.imports_back}"),
        ("modules without a test of their name", f"{len(found.without_test)}"),
        ("docstrings, share of lines", f"{100 * found.docstrings:.0f} %"),
        ("lines of tests to a line of code", f"{found.tests:.2f}"),
    ]
    lines = ["| what | figure |", "|---|---|"]
    return "\n".join(lines + [f"| {what} | {figure} |" for what, figure in rows])


def by_folder() -> str:
    """Docstring share and largest file of every folder, and what has no test."""
    lines = []
    folders = sorted({module.folder for module in modules()})
    for folder in folders:
        files = [module for module in modules() if module.folder == folder]
        code = sum(code_lines(module.path) for module in files)
        docs = sum(docstring_lines(module.tree) for module in files)
        bare = [m.name for m in files if has_code(m) and not test_of(m).exists()]
        lines.append(
            f"{folder:<10} {code:>5} lines, docstrings {100 * docs / code:>3.0f} %, "
            f"longest file {max(m.lines for m in files)}, without test: "
            f"{', '.join(bare) or 'none'}"
        )
    return "\n".join([*lines, *imports_back()])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folders", action="store_true", help="by folder")
    print(by_folder() if parser.parse_args().folders else table(shape()))
