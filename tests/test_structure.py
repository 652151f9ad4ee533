"""The tree is the data path: imports point left only, and each library stays where it belongs."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("ingest", "models", "detectors", "sinks", "worker", "trailwarden")
FRAMES = {"polars", "pyarrow"}

# Who may import a third party: a folder or a module; everybody else may not.
ALLOWED = {
    "aiohttp": ("ingest/collectors",),
    "confluent_kafka": ("ingest/collectors", "ingest/sources", "sinks"),
    "elasticsearch": ("sinks",),
    "prometheus_client": ("worker",),
    "pydantic": ("worker",),
    "structlog": ("worker",),
    "urllib3": ("sinks",),
    "sklearn": ("models",),
    "maxminddb": ("detectors/entities/geography.py",),
    "jinja2": ("sinks/report",),
    "yaml": ("detectors/sigma/strict_yaml.py",),
    "typer": ("trailwarden",),
    "rich": ("trailwarden",),
}
# Collectors load these: bytes only, no frames.
BYTES_ONLY = ("ingest/collectors", "ingest/sources", "ingest/formats/envelopes.py")
WITH_FRAMES = {"ingest/sources/object_store.py"}
"""Arrow's file systems; only the collector that empties a store is given one."""


def modules() -> list[Path]:
    return sorted(p for name in PACKAGES for p in (ROOT / name).rglob("*.py"))


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module)
    return found


def names() -> list[str]:
    return [str(path.relative_to(ROOT)) for path in modules()]


@pytest.mark.parametrize("name", names())
def test_imports_point_left_only(name: str) -> None:
    own = PACKAGES.index(name.split("/", maxsplit=1)[0])
    used = {module.split(".")[0] for module in imports(ROOT / name)}
    assert not used & set(PACKAGES[own + 1 :])


@pytest.mark.parametrize("name", names())
def test_third_parties_stay_where_they_belong(name: str) -> None:
    used = {module.split(".")[0] for module in imports(ROOT / name)}
    strays = {m for m in used & set(ALLOWED) if not name.startswith(ALLOWED[m])}
    assert not strays


def test_what_collectors_load_knows_no_frames() -> None:
    """Theirs is a small process beside an API server: bytes in, bytes out."""
    wanted = [n for n in names() if n.startswith(BYTES_ONLY) and n not in WITH_FRAMES]
    loaded = [name.removesuffix(".py").replace("/", ".") for name in wanted]
    strays = FRAMES | {"elasticsearch"}
    program = f"import sys, {', '.join(loaded)}; print(sorted({strays!r} & set(sys.modules)))"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr


def test_no_module_is_named_after_nothing() -> None:
    forbidden = {"utils.py", "helpers.py", "common.py", "misc.py", "manager.py"}
    assert not {path.name for path in modules()} & forbidden


def test_modules_stay_readable() -> None:
    long = {name: n for name in names() if (n := len((ROOT / name).read_text().splitlines())) > 400}
    assert not long


@pytest.mark.parametrize("name", names())
def test_nothing_runs_what_it_reads(name: str) -> None:
    tree = ast.parse((ROOT / name).read_text())
    calls = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    bad = {"eval", "exec", "yaml.load", "pl.SQLContext", "pl.Expr.deserialize", "pickle.loads"}
    assert not calls & bad
    assert not {m.split(".")[0] for m in imports(ROOT / name)} & {"pickle", "joblib", "marshal"}


def test_no_file_names_a_package_registry(root: Path) -> None:
    lines = (root / "requirements" / "dev.lock").read_text().splitlines()
    assert not [line for line in lines if "://" in line]
    assert all("--hash=sha256:" in line or "==" in line for line in lines if line.strip())
