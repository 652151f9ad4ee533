"""Check an installed wheel: our packages are all there, and nobody else's own their names."""

from __future__ import annotations

import sys
from importlib.metadata import packages_distributions
from importlib.resources import files

PACKAGES = ("ingest", "models", "detectors", "sinks", "worker", "trailwarden")


def main() -> None:
    owners = packages_distributions()
    for package in PACKAGES:
        if owners.get(package) != ["trailwarden"]:
            sys.exit(f"package {package!r} is owned by {owners.get(package)}")
    data = {
        "detectors": ("rules/bases",),
        "sinks": ("report/templates/page.html.j2", "report/templates/report.css"),
        "worker": ("services/jars.lock",),
    }
    for package, paths in data.items():
        for path in paths:
            if (
                not files(package).joinpath(path).is_file()
                and not files(package).joinpath(path).is_dir()
            ):
                sys.exit(f"{package}/{path} is not installed")
    print(f"installed: {', '.join(PACKAGES)}")


if __name__ == "__main__":
    main()
