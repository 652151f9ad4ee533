"""Locked jars go in, paths of verified files come out, fetched when they are not there yet.

Separate because this is where foreign code enters: a jar is used only if the lock names it and its
bytes have the locked hash. The store is the person's Maven repository, so that what is there
already is not fetched again. Nothing appears in it half written: jars are fetched beside it,
verified, then moved. To fetch them ahead of time:

    python -m worker.services.jar_store
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from worker.services.errors import ServiceError
from worker.services.file_lock import exclusive
from worker.services.jar_lock import LOCK_FILE, Jar, Server, locked_jars, sha256_of
from worker.services.java import optional_module

# A registry that answers 429 or 503 wants a pause; a minute in all is what a person waits for.
PAUSES_S: Final = (2.0, 5.0, 15.0, 30.0)
FETCH_TIMEOUT_S: Final = 600

Fetch = Callable[[Sequence[Jar], Path], str | None]


def maven_repository() -> Path:
    """Return the local Maven repository: the resolver's settings, ``M2_REPO``, or under HOME."""
    return Path(optional_module("jgo.config").GlobalSettings.load().repo_cache)


def fetch(jars: Sequence[Jar], folder: Path) -> str | None:
    """Fetch jars into ``folder``, laid out as a Maven repository; return what went wrong."""
    try:
        child = subprocess.run(  # noqa: S603 - our own module
            [sys.executable, "-P", "-m", "worker.services.jar_download", str(folder)],
            input="\n".join(jar.coordinates for jar in jars),
            capture_output=True,
            text=True,
            check=False,
            timeout=FETCH_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        return f"not done within {FETCH_TIMEOUT_S} s"
    return None if child.returncode == 0 else child.stderr.strip() or f"exit {child.returncode}"


def verified_paths(
    jars: Sequence[Jar],
    repository: Path,
    fetch: Fetch = fetch,
    pauses_s: Sequence[float] = PAUSES_S,
) -> list[Path]:
    """Return the paths of all ``jars``, in their order; each has the locked hash.

    Works without a network when all are in ``repository``. Two processes at once take turns.

    Raises
        ServiceError: a jar has other bytes than the lock says, or cannot be had.
    """
    if _missing(jars, repository):
        with exclusive(repository / ".trailwarden.lock"):
            _complete(jars, repository, fetch, pauses_s)
    if missing := _missing(jars, repository):
        raise ServiceError(f"{missing[0].coordinates}: vanished from {repository}")
    return [repository / jar.path for jar in jars]


def _missing(jars: Sequence[Jar], repository: Path) -> list[Jar]:
    missing = []
    for jar in jars:
        file = repository / jar.path
        if not file.is_file():
            missing.append(jar)
        elif (found := sha256_of(file)) != jar.sha256:
            raise ServiceError(
                f"{file}: has sha256 {found}, but {LOCK_FILE.name} says {jar.sha256} for"
                f" {jar.coordinates}: it is not used. Delete it to have it fetched anew"
            )
    return missing


def _complete(
    jars: Sequence[Jar], repository: Path, fetch: Fetch, pauses_s: Sequence[float]
) -> None:
    staging = repository / ".trailwarden-staging"
    trouble: str | None = None
    for pause_s in (0.0, *pauses_s):
        time.sleep(pause_s)
        # What a killed process left here may be torn.
        shutil.rmtree(staging, ignore_errors=True)
        if not (wanted := _missing(jars, repository)):
            return
        trouble = fetch(wanted, staging)
        _move_verified(wanted, staging, repository, trouble)
    shutil.rmtree(staging, ignore_errors=True)
    if missing := _missing(jars, repository):
        raise ServiceError(
            f"{len(missing)} of {len(jars)} jars could not be fetched in {len(pauses_s) + 1}"
            f" attempts, the first {missing[0].coordinates}. The resolver says:\n{trouble}"
        )


def _move_verified(
    wanted: Sequence[Jar], staging: Path, repository: Path, trouble: str | None
) -> None:
    """Keep what came whole, also when the attempt as such failed: the next asks for the rest."""
    for jar in wanted:
        fetched = staging / jar.path
        if not fetched.is_file():
            continue
        if (found := sha256_of(fetched)) == jar.sha256:
            target = repository / jar.path
            target.parent.mkdir(parents=True, exist_ok=True)
            fetched.replace(target)
        elif trouble is None:
            raise ServiceError(
                f"{jar.coordinates}: the registry gave sha256 {found}, {LOCK_FILE.name} says"
                f" {jar.sha256}: refused"
            )


def main() -> int:
    """Fetch what is missing for every server, so that a later start needs no network."""
    try:
        for server in Server:
            paths = verified_paths(locked_jars(server), maven_repository())
            sys.stdout.write(f"{server}: {len(paths)} jars, verified\n")
    except ServiceError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
