"""The console script: `trailwarden` and `python -m trailwarden`."""

from __future__ import annotations

from trailwarden.cli import app


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
