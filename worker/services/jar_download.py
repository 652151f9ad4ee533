"""Child process that fetches jars: coordinates on standard input, files in a repository folder.

Separate because the resolver is somebody else's program: its warnings, threads and state end with
this process, and its standard error is what a person is shown when the registry fails.

    python -m worker.services.jar_download FOLDER < coordinates
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from worker.services.java import optional_module

# Enough to hide a registry's latency, few enough not to be taken for an attack by it.
PARALLEL: Final = 4
TIMEOUT_S: Final = 30


def main() -> int:
    """Fetch each jar; what failed is said line by line on standard error."""
    maven = _context(Path(sys.argv[1]))
    with ThreadPoolExecutor(PARALLEL) as pool:
        failed = [e for e in pool.map(lambda c: _fetch(maven, c), sys.stdin.read().split()) if e]
    sys.stderr.write("".join(f"{error}\n" for error in failed))
    return 1 if failed else 0


def _context(folder: Path) -> Any:
    """Return the resolver's context: the person's own settings, but another folder."""
    repositories = optional_module("jgo.config").GlobalSettings.load().repositories
    central = optional_module("jgo.constants").MAVEN_CENTRAL_URL
    return optional_module("jgo.maven").MavenContext(
        repo_cache=folder,
        local_repos=[],
        remote_repos={"central": central, **repositories},
        timeout=TIMEOUT_S,
    )


def _fetch(maven: Any, coordinates: str) -> str | None:
    group, artifact, version, *classifier = coordinates.split(":")
    component = maven.project(group, artifact).at_version(version)
    try:
        component.artifact("".join(classifier), "jar").resolve()
    except Exception as error:  # noqa: BLE001 - whatever it is, the person is to read it
        return f"{coordinates}: {type(error).__name__}: {error}"
    return None


if __name__ == "__main__":
    sys.exit(main())
