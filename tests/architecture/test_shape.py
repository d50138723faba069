"""How large things may be and what they may not be called, with every exception and its reason."""

from .source import ROOT, functions, modules

MAX_LINES = 300
MAX_FUNCTION_LINES = 50
# Names that say nothing of what is inside, so everything ends up inside.
CUPBOARDS = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "base", "types"}

# What is larger, and why: empty as long as nobody has a reason that holds.
LONG_FILES: dict[str, str] = {}
LONG_FUNCTIONS: dict[str, str] = {}


def test_a_file_fits_into_a_head() -> None:
    """One concept, at most three hundred lines; Lua is code too. An excuse that is none any more is a mistake."""
    scripts = (ROOT / "shared" / "scripts").glob("*.lua")
    files = {str(path.relative_to(ROOT)): path for path in [*scripts, *(module.path for module in modules())]}

    lines = {name: len(path.read_text("utf-8").splitlines()) for name, path in files.items()}

    assert {name for name, count in lines.items() if count > MAX_LINES} == set(LONG_FILES)


def test_a_function_fits_on_a_screen() -> None:
    """At most fifty lines, docstring included."""
    long = {each.name for module in modules() for each in functions(module) if each.lines > MAX_FUNCTION_LINES}

    assert long == set(LONG_FUNCTIONS)


def test_no_module_is_a_cupboard() -> None:
    """A module bears the name of its concept."""
    assert [module.name for module in modules() if not CUPBOARDS.isdisjoint(module.name.split("."))] == []


def test_a_module_says_what_lives_in_it() -> None:
    """The first thing in a file is its docstring; an empty file says nothing, and needs nothing."""
    silent = [module.name for module in modules() if module.text.strip() and not module.text.startswith('"""')]

    assert silent == []
