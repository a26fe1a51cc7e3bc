import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = [name for name in ("models", "streams", "tests", "benchmarks") if (ROOT / name).is_dir()]
MODULES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
PURE = [path for path in MODULES if path.is_relative_to(ROOT / "models")]
LIVE = [path for path in MODULES if path.is_relative_to(ROOT / "streams")]
PACKAGES = [path for path in MODULES if path.name == "__init__.py"]

# What knows of the outside: brokers, the network, the clock, processes, chance.
OUTSIDE = {
    *("streams", "kafka", "faust", "aiokafka", "mode", "noida_db", "click", "rich"),
    *("pydantic", "pydantic_settings", "starlette", "fastapi", "uvicorn", "httpx", "aiohttp"),
    *("asyncio", "socket", "ssl", "http", "urllib", "subprocess", "multiprocessing", "threading"),
    *("time", "random", "secrets", "uuid", "logging", "sqlite3"),
}
IMPURE = {"os.environ", "os.getenv", "datetime.now", "datetime.today", "datetime.utcnow"}
SAYS_NOTHING = {"utils", "util", "helpers", "helper", "common", "base", "manager", "misc"}
EXPORTS = {"models/simulation/__init__.py"}  # a library of its own, with few public names


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def used(tree: ast.AST) -> set[str]:
    """Dotted names that are read, such as os.environ, and the names imported out of modules."""
    attributes = {
        f"{node.value.id}.{node.attr}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    }
    return attributes | set(imported(tree))


@pytest.mark.parametrize("path", PURE, ids=named)
def test_models_know_nothing_of_the_outside(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert not {name.partition(".")[0] for name in imported(tree)} & OUTSIDE
    assert not used(tree) & IMPURE


@pytest.mark.parametrize("path", LIVE, ids=named)
def test_kafka_clients_are_made_where_failed_ones_are_closed(path: Path) -> None:
    calls = (node.func for node in ast.walk(ast.parse(path.read_text())) if type(node) is ast.Call)
    made = {call.id for call in calls if isinstance(call, ast.Name)}
    assert not made & {"KafkaAdminClient", "KafkaConsumer"}, "`connect` makes them"


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_a_module_is_short_enough_to_be_read_at_once(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_a_modules_name_says_what_is_in_it(path: Path) -> None:
    assert not {part.removesuffix(".py").strip("_") for part in path.parts} & SAYS_NOTHING


@pytest.mark.parametrize("path", PACKAGES, ids=named)
def test_a_package_says_what_it_holds_and_does_nothing(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree)
    assert len(tree.body) == 1 or named(path) in EXPORTS


def test_every_folder_of_modules_is_a_package() -> None:
    folders = {path.parent for path in MODULES if not path.is_relative_to(ROOT / "benchmarks")}
    assert all((folder / "__init__.py").exists() for folder in folders)
