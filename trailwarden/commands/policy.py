"""The command about audit policies; what it does is imported when it runs."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import Annotated

import typer

from trailwarden.commands.options import AsJson, RuleFolders  # noqa: TC001 - typer reads the annotations

EXAMPLES = """
Examples:

\b
  trailwarden policy /etc/kubernetes/audit-policy.yaml
  trailwarden policy audit-policy.yaml --suggest better-policy.yaml
  trailwarden policy audit-policy.yaml --observed audit.log
  trailwarden policy --observed eks-audit.json.gz
  trailwarden policy audit-policy.yaml --rules own/ --fail-on-blind --json

\b
A rule is blind if nothing that it must find is logged well enough for it to
see, weakened if some is not. The rules' own test cases decide: each is cut
down to what the policy lets through, and the rule is run on what is left.
A rule without cases is judged by its condition: that is an estimate.

\b
With --observed alone, what is logged is learned from a log: for clusters
whose policy is not yours to see (EKS, GKE, AKS). With both, the log says
what each suggested change would concern: events, and their bytes now.

\b
Exit code:
  0  done
  1  --fail-on-blind, and a rule is blind; or a log could not be read
  2  wrong usage, or a policy or rule that was refused
"""


def policy(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="AUDIT_POLICY", help="Audit policy of an API server, YAML."),
    ] = None,
    *,
    observed: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LOG",
            help="Audit log, folder of logs, or - for standard input; may be repeated.",
        ),
    ] = None,
    rules: RuleFolders = None,
    suggest: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the policy with the smallest changes made."),
    ] = None,
    show_all: Annotated[
        bool, typer.Option("--all", help="Show the rules that fire as well.")
    ] = False,
    as_json: AsJson = False,
    fail_on_blind: Annotated[
        bool, typer.Option("--fail-on-blind", help="Exit with 1 if a rule is blind.")
    ] = False,
) -> None:
    """Say which rules can never fire under an audit policy, and what lets them."""
    from trailwarden.policy_command import PolicyOptions, run_policy  # noqa: PLC0415 - loads Polars

    options = PolicyOptions(
        file=file,
        observed=observed or [],
        rules=rules or [],
        suggest=suggest,
        show_all=show_all,
        as_json=as_json,
        fail_on_blind=fail_on_blind,
    )
    raise typer.Exit(run_policy(options))
