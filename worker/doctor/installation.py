"""An installation in, what is right and wrong with it out: no server is asked.

Separate so that ``doctor --offline`` can say before anything runs whether it could.
"""

from __future__ import annotations

import importlib
import os
import shutil
import tempfile
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import TYPE_CHECKING, Final

from detectors.engine import detect
from detectors.finding import findings
from detectors.possible import recalls
from detectors.sigma.compiler import load_pack
from detectors.sigma.errors import InvalidRulesError
from ingest.normalize import NormalizeSettings, normalize
from ingest.record import Records
from worker.doctor.check import CheckName, Result, failed, ok, warning
from worker.settings import shipped_rules

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detectors.sigma.rule import Rule

PACKAGES: Final = ("ingest", "models", "detectors", "sinks", "worker", "trailwarden")
LIBRARIES: Final = (
    "aiohttp",
    "confluent_kafka",
    "cryptography",
    "elasticsearch",
    "isal",
    "jinja2",
    "msgspec",
    "orjson",
    "polars",
    "prometheus_client",
    "pyarrow",
    "pydantic_settings",
    "rich",
    "structlog",
    "typer",
    "urllib3",
    "yaml",
)
"""What pyproject.toml depends on at run time, by import name."""

FREE_BYTES: Final = 2 << 30
"""A segment, a snapshot and their temporary copies, with room to notice."""

_REINSTALL: Final = "install trailwarden again, in an environment of its own"


def check_packages(
    packages: Sequence[str] = PACKAGES, libraries: Sequence[str] = LIBRARIES
) -> Result:
    """Check that all of ours is there, ours alone owns its names, and every library loads."""
    owners = packages_distributions()
    strangers = {name: set(owners.get(name, ())) - {"trailwarden"} for name in packages}
    for name, others in strangers.items():
        if others:
            detail = f"package {name!r} also belongs to {', '.join(sorted(others))}"
            return failed(CheckName.PACKAGES, detail, _REINSTALL)
    for name in (*packages, *libraries):
        try:
            importlib.import_module(name)
        except (ImportError, OSError) as error:  # a wheel of another platform is an OSError
            return failed(CheckName.PACKAGES, f"{name}: {error}", _REINSTALL)
    detail = f"{len(packages)} packages and {len(libraries)} libraries load"
    return ok(CheckName.PACKAGES, detail)


def check_rules(paths: Sequence[Path]) -> tuple[Result, tuple[Rule, ...]]:
    """Compile the rules; return them for the next check."""
    missing = [path for path in paths if not path.exists()]
    if missing:
        return failed(CheckName.RULES, f"{missing[0]} does not exist", "see worker.rules"), ()
    try:
        rules = load_pack(paths).rules
    except InvalidRulesError as error:
        detail = str(error).splitlines()
        more = f" (and {len(detail) - 1} more lines)" if len(detail) > 1 else ""
        return failed(CheckName.RULES, detail[0] + more, "trailwarden rules check"), ()
    if not rules:
        return failed(CheckName.RULES, "there are none", "see worker.rules: nothing is found"), ()
    return ok(CheckName.RULES, f"{len(rules)} rules compile"), rules


def check_sample(rules: Sequence[Rule]) -> Result:
    """Take the recorded requests that are installed with the rules all the way to findings."""
    files = sorted((shipped_rules() / "bases").glob("*.*"))
    raws = [file.read_bytes().strip() for file in files]
    received = [datetime.now(UTC)] * len(raws)
    chunk = Records("bases", raws, list(range(len(raws))), received=received)
    try:
        normalized = normalize([chunk], NormalizeSettings("doctor"))
        own = [rule for rule in rules if not recalls(rule)]
        hits = detect(normalized.events, own)
        found = findings(normalized.events, hits, own)
    except Exception as error:  # noqa: BLE001 - whatever it is, it would stop a worker
        detail = f"{type(error).__name__}: {error}"
        return failed(CheckName.SAMPLE, detail, _REINSTALL)
    places = normalized.events["log.offset"].n_unique()
    if not raws or normalized.refused or places != len(raws):
        detail = f"{places} of {len(raws)} sample records became events"
        return failed(CheckName.SAMPLE, detail, _REINSTALL)
    return ok(CheckName.SAMPLE, f"{len(raws)} sample records, {len(found)} findings")


def check_store(folder: Path) -> Result:
    """Check that a segment could be written: create, fsync, link if absent, and room."""
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    try:
        problem = _write_and_link(place)
    except OSError as error:
        detail = f"{place}: {error.strerror}"
        return failed(CheckName.STORE, detail, "store.folder must be writable by this user")
    if problem:
        advice = "use a file system that knows hard links: segments appear by link"
        return failed(CheckName.STORE, f"{place}: {problem}", advice)
    free = shutil.disk_usage(place).free
    room = f"{free >> 30} GiB free" if free >> 30 else f"{free >> 20} MiB free"
    if free < FREE_BYTES:
        advice = "make room: a worker stops when the archive cannot be written"
        return warning(CheckName.STORE, f"{place}: {room}", advice)
    if place != folder:
        return ok(CheckName.STORE, f"{folder} does not exist yet and can be made; {room}")
    return ok(CheckName.STORE, f"{folder} is writable and knows hard links; {room}")


def _write_and_link(place: Path) -> str:
    with tempfile.TemporaryDirectory(prefix=".doctor-", dir=place) as name:
        folder = Path(name)
        with (folder / "written").open("wb") as stream:
            stream.write(b"doctor")
            stream.flush()
            os.fsync(stream.fileno())
        (folder / "linked").hardlink_to(folder / "written")
        with suppress(FileExistsError):
            (folder / "linked").hardlink_to(folder / "written")
            return "a second link under the same name was not refused"
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        return "" if (folder / "linked").read_bytes() == b"doctor" else "what was written is lost"
