"""`trailwarden findings verdict`: a decision goes into the log, and into the finding's document.

Separate from reading findings because this writes, in an order: first the record, which counts and
is replayed; then the document, which people look at. Where only the second fails, it is said.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import typer

from detectors.message import printable
from ingest.collectors.producer import ProducerFailedError, RecordProducer
from ingest.verdict import (
    MOST_EVENTS,
    Choice,
    InvalidVerdictError,
    Verdict,
    verdict_record,
)
from sinks.elasticsearch.triage import TriageConflictError, set_triage
from trailwarden.exception_text import exception_text
from trailwarden.exit_code import ExitCode
from trailwarden.finding_source import CLUSTER, ID, RULE, Source, connected, held_as, named
from trailwarden.findings_command import guarded, the_one
from worker.kafka_client import client_config

if TYPE_CHECKING:
    from trailwarden.finding_source import Document
    from worker.configuration import Settings

SEND_S: Final = 20.0
"""Longest wait for Kafka: less than the lateness, so that what arrives arrives in time."""

_CLOSES: Final = frozenset({Choice.FALSE_POSITIVE, Choice.BENIGN})


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided, and who says so."""

    choice: Choice
    author: str
    note: str


class NotSentError(Exception):
    """Kafka did not take the verdict; the message has its words."""


def run_verdict(source: Source, name: str, decision: Decision) -> ExitCode:
    """Send a verdict on the finding whose id begins with ``name``."""

    def run() -> ExitCode:
        settings = source.settings()
        found = the_one(named(source, name), name)
        try:
            _send(settings, _verdict(found, decision))
        except InvalidVerdictError as error:
            typer.echo(f"trailwarden: {error}", err=True)
            return ExitCode.USAGE
        except (NotSentError, ProducerFailedError) as error:
            typer.echo(f"trailwarden: Kafka: {error}", err=True)
            return ExitCode.INPUT_UNREADABLE
        said = f"{found[ID]} is {decision.choice.value}, says {printable(decision.author)}"
        typer.echo(f"{said}: in {settings.kafka.raw_topic}")
        code = ExitCode.OK
        if settings.elasticsearch.url is not None:
            code = _note(settings, found, decision)
        _offer(found, decision)
        return code

    return guarded(run)


def _offer(found: Document, decision: Decision) -> None:
    """Say how the rule could be told: a verdict silences none."""
    if decision.choice not in _CLOSES:
        return
    today = datetime.now(UTC).date()
    text = exception_text(found, decision.author, decision.note, today)
    if text is not None:
        typer.echo("The rule goes on as before. To accept this from now on (docs/site.md):")
        typer.echo(text)


def _verdict(found: Document, decision: Decision) -> Verdict:
    return Verdict(
        finding=found[ID],
        rule=str(found.get(RULE) or ""),
        cluster=str(found.get(CLUSTER) or ""),
        verdict=decision.choice,
        author=decision.author,
        time=datetime.now(UTC),
        note=decision.note,
        events=_events(found),
    )


def _events(found: Document) -> tuple[str, ...]:
    """Return what the finding rests on, by event.id, as far as a verdict has room for it."""
    ids = found.get("trailwarden.evidence.event_ids") or ()
    named = ids if isinstance(ids, list | tuple) else (ids,)
    return tuple(str(one) for one in named)[:MOST_EVENTS]


def _send(settings: Settings, verdict: Verdict) -> None:
    """Append a verdict to the log of its cluster, and wait until all replicas have it."""
    envelope, value = verdict_record(verdict)
    limit = {"message.timeout.ms": int(SEND_S * 1000)}
    producer = RecordProducer(client_config(settings.kafka) | limit, settings.kafka.raw_topic)
    answers: list[str | None] = []
    try:
        producer.send(envelope, value, answers.append)
        producer.flush(SEND_S + 1)
        if answers != [None]:
            reason = (answers and answers[0]) or producer.last_error or "no answer"
            raise NotSentError(f"the verdict is not known to be there: {reason}")
    finally:
        producer.close()


def _note(settings: Settings, found: Document, decision: Decision) -> ExitCode:
    """Write the decision into the finding's document."""
    client = connected(settings)
    try:
        held = held_as(client, settings, found[ID])
        if not held:
            typer.echo("trailwarden: Elasticsearch: has no such finding", err=True)
            return ExitCode.INPUT_UNREADABLE
        for one in held:
            set_triage(client, one, _fields(decision))
    except TriageConflictError as error:
        typer.echo(f"trailwarden: Elasticsearch: {error}", err=True)
        return ExitCode.INPUT_UNREADABLE
    finally:
        client.close()
    typer.echo(f"and in {held[0].index}")
    return ExitCode.OK


def _fields(decision: Decision) -> dict[str, Any]:
    return {
        "verdict": decision.choice.value,
        "status": "closed" if decision.choice in _CLOSES else "open",
        "assignee": decision.author,
        "note": decision.note or None,
    }
