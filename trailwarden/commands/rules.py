"""Commands about rules; what they do is imported when they run."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from trailwarden.commands.options import (
    AsJson,  # noqa: TC001 - typer reads the annotations
    Level,  # noqa: TC001 - as above
    RuleFolders,  # noqa: TC001 - as above
)

app = typer.Typer(no_args_is_help=True)


@app.callback()
def rules() -> None:
    """List, check, test, explain, import and weigh detection rules."""


class Category(StrEnum):
    """Categories of rules."""

    ABNORMAL_LOGIN = "abnormal-login"
    UNAUTHORIZED_INSTALL = "unauthorized-install"
    KEY_FILE_CHANGE = "key-file-change"
    CLUSTER_CONTROL = "cluster-control"


class CoverageFormat(StrEnum):
    """Formats of the coverage."""

    MARKDOWN = "markdown"
    JSON = "json"
    NAVIGATOR = "navigator"


Config = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        envvar="TRAILWARDEN_CONFIG",
        help="File of settings, YAML: its site lists and exceptions are used.",
    ),
]
Name = Annotated[
    str,
    typer.Argument(metavar="RULE", help="Its id or how that begins, its file's name, or its name."),
]

_EXIT = """
\b
Exit code:
  0  done{ok}
  1  {bad}
  2  wrong usage or settings{refused}
"""
_REFUSED = ", or a rule that was refused"

_LIST_EXAMPLES = """
Examples:

\b
  trailwarden rules list
  trailwarden rules list --category abnormal-login --level high
  trailwarden rules list --catalogue B05 --rules default --rules own/ --json

\b
A rule that waits for a site list is inactive until the list has a value; the
lists it waits for are named.
""" + _EXIT.format(ok="", bad="nothing is like that", refused=_REFUSED)


@app.command("list", epilog=_LIST_EXAMPLES)
def list_(
    *,
    category: Annotated[
        list[Category] | None, typer.Option(help="Only of this category; may be repeated.")
    ] = None,
    level: Annotated[
        list[Level] | None, typer.Option(help="Only of this level; may be repeated.")
    ] = None,
    catalogue: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="Only for this detection of the catalogue, e.g. B05."),
    ] = None,
    silent: Annotated[
        bool,
        typer.Option("--silent", help="Also what only others build on: it reports nothing itself."),
    ] = False,
    folders: RuleFolders = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """List the rules: id, title, level, category, type, source and techniques."""
    from trailwarden.rules_list import Wanted, run_list  # noqa: PLC0415 - loads Polars

    wanted = Wanted(
        categories=frozenset(map(str, category or ())),
        levels=frozenset(map(str, level or ())),
        catalogue=frozenset(name.upper() for name in catalogue or ()),
        with_silent=silent,
    )
    raise typer.Exit(run_list(folders or [], config, wanted, as_json=as_json))


_CHECK_EXAMPLES = """
Examples:

\b
  trailwarden rules check
  trailwarden rules check --rules own/ --config /etc/trailwarden.yml

\b
Shows all that is wrong at once: refused rules and case files, titles that are
there twice, techniques that ATT&CK does not have, rules with a `trailwarden:`
mapping but without cases, exceptions that have expired, and exceptions that
hide a case that must match. Nothing is evaluated but for those: `rules test`
does.
""" + _EXIT.format(ok=", nothing is wrong", bad="something is wrong", refused="")


@app.command(epilog=_CHECK_EXAMPLES)
def check(*, folders: RuleFolders = None, config: Config = None, as_json: AsJson = False) -> None:
    """Check rules, cases and exceptions without a log."""
    from trailwarden.rules_check import run_check  # noqa: PLC0415 - loads Polars

    raise typer.Exit(run_check(folders or [], config, as_json=as_json))


_TEST_EXAMPLES = """
Examples:

\b
  trailwarden rules test
  trailwarden rules test privileged-container exec-reverse-shell
  trailwarden rules test --rules own/ --mutations

\b
Runs the cases beside each rule: raw records through the whole path. With
--mutations each condition of a rule is turned round in turn, and one of its
cases must notice; survivors are conditions that no case holds in place.
""" + _EXIT.format(
    ok=", every case came out as it says (with --mutations: and the share was reached)",
    bad="a case came out otherwise, or a rule has none; or too many mutants survived",
    refused=_REFUSED,
)


@app.command("test", epilog=_TEST_EXAMPLES)
def cases(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="RULE", help="Ids or how they begin, or files' names; all if none."),
    ] = None,
    *,
    mutations: Annotated[
        bool, typer.Option("--mutations", help="Also turn each condition round.")
    ] = False,
    least: Annotated[
        float,
        typer.Option(
            metavar="SHARE", min=0, max=1, help="Share of mutants that cases must notice, in all."
        ),
    ] = 0.95,
    folders: RuleFolders = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Run the cases of rules; optionally check that they hold each condition in place."""
    from trailwarden.rules_test import CasesOptions, run_test  # noqa: PLC0415 - loads Polars

    options = CasesOptions(tuple(names or ()), mutations, least, as_json)
    raise typer.Exit(run_test(folders or [], config, options))


_EXPLAIN_EXAMPLES = """
Examples:

\b
  trailwarden rules explain privileged-container
  trailwarden rules explain 60c36f50 --log audit.log
""" + _EXIT.format(ok="", bad="no rule or several are called so", refused=_REFUSED)


@app.command(epilog=_EXPLAIN_EXAMPLES)
def explain(
    name: Name,
    *,
    log: Annotated[
        Path | None, typer.Option(metavar="LOG", help="Also measure what it costs on this log.")
    ] = None,
    folders: RuleFolders = None,
    config: Config = None,
) -> None:
    """Explain a rule in words: what it looks for, in which fields, and what it does not see."""
    from trailwarden.rules_explain import run_explain  # noqa: PLC0415 - loads Polars

    raise typer.Exit(run_explain(folders or [], config, name, log))


_COVERAGE_EXAMPLES = """
Examples:

\b
  trailwarden rules coverage
  trailwarden rules coverage --format navigator > layer.json
  trailwarden rules coverage --rules default --rules own/ --format json

\b
navigator: a layer (format 4.5) for https://mitre-attack.github.io/attack-navigator
""" + _EXIT.format(ok="", bad="(never)", refused=_REFUSED)


@app.command(epilog=_COVERAGE_EXAMPLES)
def coverage(
    *,
    output: Annotated[
        CoverageFormat, typer.Option("--format", help="markdown, json or navigator.")
    ] = CoverageFormat.MARKDOWN,
    folders: RuleFolders = None,
    config: Config = None,
) -> None:
    """Show what the rules cover: ATT&CK, the Kubernetes threat matrix, our own catalogue."""
    from trailwarden.rules_coverage import run_coverage  # noqa: PLC0415 - loads Polars

    raise typer.Exit(run_coverage(folders or [], config, str(output)))


_IMPORT_EXAMPLES = """
Examples:

\b
  trailwarden rules import sigma/rules/application/kubernetes
  trailwarden rules import sigma/rules/linux --out community/
  trailwarden scan audit.log --rules default --rules community/

\b
Each file either compiles, and then means what it means elsewhere, or is refused
with every reason. Those that compile are written to --out: the text unchanged
but for a comment line that says where it came from. Authors and licences stay
in the files and are shown in findings.
""" + _EXIT.format(ok=", something could be imported", bad="nothing could be imported", refused="")


@app.command("import", epilog=_IMPORT_EXAMPLES)
def import_(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of Sigma rules.")],
    *,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write what compiles here.")
    ] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Read community Sigma rules: what maps, what does not and why."""
    from trailwarden.rules_import import run_import  # noqa: PLC0415 - loads Polars

    raise typer.Exit(run_import(folder, out, config, as_json=as_json))


_COST_EXAMPLES = """
Examples:

\b
  trailwarden rules cost audit.log
  trailwarden rules cost audit.log --repeat 10 --json

\b
Microseconds of CPU an event, on at most the first 50,000 events: of the whole
pack, and of each rule alone, less what the cheapest one costs. Rules share what
they have in common, so these figures add up to more than the whole: they tell
which rule to look at.
""" + _EXIT.format(ok="", bad="the log cannot be read", refused=_REFUSED)


@app.command(epilog=_COST_EXAMPLES)
def cost(
    log: Annotated[Path, typer.Argument(metavar="LOG", help="An audit log, plain or .gz or .zst.")],
    *,
    repeat: Annotated[int, typer.Option(min=1, help="Measurements; the best counts.")] = 5,
    top: Annotated[int, typer.Option(min=0, help="Rules shown, the dearest; 0 for all.")] = 25,
    folders: RuleFolders = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Measure what rules cost on a log, in microseconds of CPU an event."""
    from trailwarden.rules_cost import CostOptions, run_cost  # noqa: PLC0415 - loads Polars

    raise typer.Exit(run_cost(log, folders or [], config, CostOptions(repeat, top, as_json)))
