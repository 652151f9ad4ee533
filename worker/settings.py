"""What a run is told: typed values, read once, passed on as plain arguments.

Separate so that no other module reads the environment or a file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ingest.redact.token import Redactor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ingest.address import Network
    from worker.configuration import Settings

DEFAULT_CLUSTER: Final = "default"


def shipped_rules() -> Path:
    """Return the folder of the rules that are installed with the program."""
    return Path(str(files("detectors").joinpath("rules")))


@dataclass(frozen=True, slots=True)
class ScanSettings:
    """Settings of one scan.

    ``cluster`` names the cluster of all inputs, unless ``cluster_from_file``: then each file is a
    cluster named by its stem. Where nobody chose one (``cluster_is_default``), a
    cloud's envelope names it. ``rules`` are files or folders of Sigma rules. ``out`` is created.
    """

    paths: Sequence[str]
    out: Path
    cluster: str = DEFAULT_CLUSTER
    cluster_from_file: bool = False
    cluster_is_default: bool = False
    rules: Sequence[Path] = ()
    trusted_proxies: Sequence[Network] = ()
    redactor: Redactor = field(default_factory=Redactor)
    service: Settings | None = None
    """What a file of settings says of the site; its exceptions, too."""
    config: Path | None = None
