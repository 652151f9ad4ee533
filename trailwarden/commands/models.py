"""Commands about learned models; what they do is imported when they run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trailwarden.commands.options import Config  # noqa: TC001 - typer reads annotations

app = typer.Typer(no_args_is_help=True)


@app.callback()
def models() -> None:
    """Look at learned models, check them, and say which are used."""


Folder = Annotated[
    Path | None,
    typer.Option("--models", metavar="DIR", help="The models; without it, those of the settings."),
]
Keys = Annotated[
    list[str] | None,
    typer.Option(
        "--trusted-key",
        metavar="KEY",
        help="Public key whose models are loaded, `ed25519:...`; may be repeated. Without it, "
        "those of the settings.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="The model's name.")]

_EXIT = """
\b
Exit code:
  0  done
  1  {one}
  2  wrong usage or settings
"""

_LIST_EXAMPLES = """
Examples:

\b
  trailwarden models list --config /etc/trailwarden.yml
  trailwarden models list --models trailwarden-models --trusted-key ed25519:...

\b
Each version is loaded as a worker would load it: one that is refused says why.
""" + _EXIT.format(one="a model cannot be read")


@app.command("list", epilog=_LIST_EXAMPLES)
def list_(
    *, config: Config = None, folder: Folder = None, keys: Keys = None, as_json: AsJson = False
) -> None:
    """List models: kind, version, what it is used for, the time it was made from."""
    from trailwarden.models_command import run_list  # noqa: PLC0415 - loads Polars
    from trailwarden.models_place import Place  # noqa: PLC0415 - goes with it

    raise typer.Exit(run_list(Place(config, folder, keys or []), as_json=as_json))


_SHOW_EXAMPLES = """
Examples:

\b
  trailwarden models show sessions
  trailwarden models show sessions 3 --json
""" + _EXIT.format(one="there is no such version, or it is refused")


@app.command(epilog=_SHOW_EXAMPLES)
def show(
    name: Name,
    version: Annotated[
        str | None, typer.Argument(metavar="VERSION", help="Without it, the champion.")
    ] = None,
    *,
    config: Config = None,
    folder: Folder = None,
    keys: Keys = None,
    as_json: AsJson = False,
) -> None:
    """Show one version: what it is, what it was made from, its metrics and its tables."""
    from trailwarden.models_command import run_show  # noqa: PLC0415 - loads Polars
    from trailwarden.models_place import Place  # noqa: PLC0415 - goes with it

    raise typer.Exit(run_show(Place(config, folder, keys or []), name, version, as_json=as_json))


_VERIFY_EXAMPLES = """
Examples:

\b
  trailwarden models verify
  trailwarden models verify sessions 3

\b
Loads each as a worker would: signature, hashes, shapes, values, and what its
kind must hold. What is in use must be what was promoted.
""" + _EXIT.format(one="a model is refused: each is a line with its reason")


@app.command(epilog=_VERIFY_EXAMPLES)
def verify(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Without it, all models.")
    ] = None,
    version: Annotated[
        str | None, typer.Argument(metavar="VERSION", help="Without it, all versions.")
    ] = None,
    *,
    config: Config = None,
    folder: Folder = None,
    keys: Keys = None,
) -> None:
    """Check that models are what was signed, and that this program can use them."""
    from trailwarden.models_place import Place  # noqa: PLC0415 - loads Polars
    from trailwarden.models_use import run_verify  # noqa: PLC0415 - goes with it

    raise typer.Exit(run_verify(Place(config, folder, keys or []), name, version))


_PROMOTE_EXAMPLES = """
Examples:

\b
  trailwarden models promote sessions 3
  trailwarden models promote sessions 4 --challenger

\b
The version is checked first. A champion's findings count; a challenger runs
beside it and stays silent.
""" + _EXIT.format(one="the version is refused; what was in use stays")


@app.command(epilog=_PROMOTE_EXAMPLES)
def promote(
    name: Name,
    version: Annotated[str, typer.Argument(metavar="VERSION", help="The version to use.")],
    *,
    challenger: Annotated[
        bool, typer.Option("--challenger", help="Beside the champion, silent.")
    ] = False,
    config: Config = None,
    folder: Folder = None,
    keys: Keys = None,
) -> None:
    """Put a version to use, at once and whole."""
    from trailwarden.models_place import Place  # noqa: PLC0415 - loads Polars
    from trailwarden.models_use import run_promote  # noqa: PLC0415 - goes with it

    place = Place(config, folder, keys or [])
    raise typer.Exit(run_promote(place, name, version, is_challenger=challenger))


_ROLLBACK_EXAMPLES = """
Examples:

\b
  trailwarden models rollback sessions
  trailwarden models rollback sessions --challenger
""" + _EXIT.format(one="there is no champion before, or it is refused; what was in use stays")


@app.command(epilog=_ROLLBACK_EXAMPLES)
def rollback(
    name: Name,
    *,
    challenger: Annotated[
        bool, typer.Option("--challenger", help="Let there be no challenger instead.")
    ] = False,
    config: Config = None,
    folder: Folder = None,
    keys: Keys = None,
) -> None:
    """Put the champion before this one to use again."""
    from trailwarden.models_place import Place  # noqa: PLC0415 - loads Polars
    from trailwarden.models_use import run_rollback  # noqa: PLC0415 - goes with it

    place = Place(config, folder, keys or [])
    raise typer.Exit(run_rollback(place, name, is_challenger=challenger))


_KEY_EXAMPLES = """
Examples:

\b
  trailwarden models key /etc/trailwarden/models.pem

\b
Writes the private key, readable by its owner only, and prints the public one,
which belongs into the settings: models.trusted_keys. Who has the private key
decides what workers load: keep it where models are trained, not with workers.
""" + _EXIT.format(one="the file exists or cannot be written; a key is never overwritten")


@app.command(epilog=_KEY_EXAMPLES)
def key(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where the private key goes.")],
) -> None:
    """Make a key that signs models."""
    from trailwarden.models_use import run_key  # noqa: PLC0415 - loads cryptography

    raise typer.Exit(run_key(file))
