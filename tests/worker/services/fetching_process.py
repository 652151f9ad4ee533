"""A process of its own that completes a repository; prints whether it had to fetch."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from tests.worker.services.test_jar_store import JARS, Registry
from worker.services.jar_lock import Jar
from worker.services.jar_store import verified_paths


def main() -> None:
    repository = Path(sys.argv[1])
    if "--real" in sys.argv:
        verified_paths(JARS, repository, pauses_s=())
        return
    registry = Registry()

    def slow(jars: Sequence[Jar], folder: Path) -> str | None:
        time.sleep(0.5)  # long enough for the other processes to come to the lock
        return registry.fetch(jars, folder)

    verified_paths(JARS, repository, slow)
    sys.stdout.write("fetched\n" if registry.asked else "found\n")


main()
