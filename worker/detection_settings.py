"""The settings that decide findings: what is known of the site, rules, models, what is learned.

Separate from the settings of servers and processes (worker/configuration.py), which decide none.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from models.profile.defaults import FINDINGS_A_DAY, SILENT_DAYS
from worker.setting import Group, setting


class Maintenance(Group):
    """Announced work, during which findings are one level lower."""

    start: AwareDatetime
    end: AwareDatetime
    reason: Annotated[str, Field(min_length=1)]
    clusters: list[str] = setting([], "clusters it is about; none: all")
    rules: list[str] = setting([], "rules it is about; none: all")


class Site(Group):
    """What only the site knows, for rules and severities: docs/site.md."""

    lists: dict[str, list[str]] = setting(
        {}, "name: values; takes the place of a list's default, or makes a list of one's own"
    )
    more: dict[str, list[str]] = setting({}, "name: values in addition to a list's default")
    criticality: dict[str, Literal["critical", "normal", "low"]] = setting(
        {}, "namespace or CLUSTER/NAMESPACE, both perhaps patterns: what it is worth"
    )
    maintenance: list[Maintenance] = setting(
        [], "announced work: start and end with time zone, reason; clusters, rules if only some"
    )
    geoip: Path | None = setting(None, "GeoIP database of cities (.mmdb): docs/site.md")


class Rules(Group):
    """What is said about rules beside their files."""

    exceptions_file: Path | None = setting(
        None, "file of a list of exceptions, in the form of `exceptions` here: docs/site.md"
    )


class Models(Group):
    """Learned models: where they are, and whose signatures count."""

    folder: Path = setting(
        Path("trailwarden-models"), "holds NAME/VERSION/ and which versions are in use"
    )
    trusted_keys: list[str] = setting(
        [],
        "public keys, `ed25519:...`, whose models are loaded; `trailwarden models key` makes one",
    )
    profile: str = setting(
        "profile", "name of the model of behaviour that clusters begin with, where one is in use"
    )


class Anomaly(Group):
    """What is learned of each identity's behaviour, and how often it may be reported."""

    enabled: bool = setting(default=True, description="learn, and report what is unusual")
    findings_a_day: float = setting(FINDINGS_A_DAY, "findings of it a day and cluster, about", gt=0)
    silent_days: float = setting(
        SILENT_DAYS,
        "days of a new cluster in which nothing is told: everything is new at first",
        ge=0,
    )
