"""What compose/ says, read for the tests beside it."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = ROOT / "compose"
OWN_IMAGE = "trailwarden:0.1.0"


@cache
def stack() -> dict[str, Any]:
    """Return compose.yaml with its anchors resolved."""
    loaded: dict[str, Any] = yaml.safe_load((COMPOSE / "compose.yaml").read_text())
    return loaded


def services() -> dict[str, dict[str, Any]]:
    """Return each service by name."""
    found: dict[str, dict[str, Any]] = stack()["services"]
    return found


def own() -> list[str]:
    """Return the names of the services that run our image."""
    return [name for name, service in services().items() if service["image"] == OWN_IMAGE]


def secret_files() -> dict[str, str]:
    """Return secret: its file's name in the folder of credentials."""
    return {
        name: secret["file"].removeprefix("./secrets/")
        for name, secret in stack()["secrets"].items()
    }


def mounts(service: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield source, target and options of each bind mount."""
    for volume in service.get("volumes", []):
        source, target, *options = volume.split(":")
        if source.startswith("."):
            yield source, target, ":".join(options)


def files() -> list[Path]:
    """Return every file of compose/ but generated ones."""
    found = (path for path in sorted(COMPOSE.rglob("*")) if path.is_file())
    return [path for path in found if not {"secrets", "__pycache__"} & set(path.parts)]


def script(name: str) -> ModuleType:
    """Load a script of compose/ as a module."""
    spec = importlib.util.spec_from_file_location(name.replace("/", "_"), COMPOSE / name)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
