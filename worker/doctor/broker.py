"""A broker in, what is right and wrong with it, the workers' group and the topics' tails out.

Separate from the other checks because all of these need Kafka, and none of them when it is away.
"""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from sinks import topics
from sinks.change import Change, render_changes
from sinks.kafka_admin import GroupState, KafkaAdmin, KafkaAdminError
from sinks.topic_reader import TopicUnreadableError, spans_of
from worker.clock_watch import LIMIT_S
from worker.doctor.check import CheckName, Result, failed, ok, skipped, warning
from worker.doctor.topic_tail import Tail, read_tail
from worker.setup import topic_options

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from worker.configuration import Settings

SETUP: Final = "trailwarden setup --dry-run shows it, trailwarden setup mends it"
NEEDS_KAFKA: Final = (
    CheckName.TOPICS,
    CheckName.RIGHTS,
    CheckName.WORKERS,
    CheckName.SOURCES,
    CheckName.CLOCKS,
    CheckName.QUARANTINE,
)
QUARANTINE_WARNING: Final = 0.01
SHOWN: Final = 5


def check_broker(
    settings: Settings, config: Mapping[str, object], now: datetime
) -> Iterator[Result]:
    """Yield the results of all checks that need Kafka; they end in about half a minute.

    Parameters
        config: librdkafka's configuration of the connection.
    """
    try:
        admin = KafkaAdmin(config)
        brokers = admin.brokers()
    except KafkaAdminError as error:
        advice = "start it, or see kafka.bootstrap_servers and the security settings"
        yield failed(CheckName.KAFKA, str(error), advice)
        yield from (skipped(name, "Kafka does not answer") for name in NEEDS_KAFKA)
        return
    yield ok(CheckName.KAFKA, f"{settings.kafka.bootstrap_servers} answers, {brokers} broker(s)")
    yield _check_topics(settings, config)
    yield _check_rights(settings, admin)
    yield _check_workers(settings, admin)
    yield from _check_tail(settings, config, now)
    yield _check_quarantine(settings, config, now)


def _check_topics(settings: Settings, config: Mapping[str, object]) -> Result:
    try:
        found = topics.changes(config, topic_options(settings.kafka))
    except KafkaAdminError as error:
        return failed(CheckName.TOPICS, str(error), "this user must be able to describe topics")
    return judge_changes(CheckName.TOPICS, found, "topics are as wanted")


def judge_changes(name: CheckName, found: list[Change], good: str) -> Result:
    """Return what is missing (failed) or has drifted (warning)."""
    missing = [change for change in found if change.before is None]
    if missing:
        names = ", ".join(f"{change.kind} {change.name}" for change in missing[:SHOWN])
        return failed(name, f"missing: {names}", SETUP)
    if found:
        return warning(name, render_changes(found[:SHOWN]), SETUP)
    return ok(name, good)


def _check_rights(settings: Settings, admin: KafkaAdmin) -> Result:
    kafka = settings.kafka
    try:
        raw, quarantine = admin.allowed(kafka.raw_topic), admin.allowed(kafka.quarantine_topic)
    except KafkaAdminError as error:
        return failed(CheckName.RIGHTS, str(error), "run trailwarden setup, or see the ACLs")
    if raw is None or quarantine is None:
        return skipped(CheckName.RIGHTS, "the broker does not tell")
    worker = "READ" in raw and "WRITE" in quarantine
    collector = "WRITE" in raw
    roles = [name for name, may in (("worker", worker), ("collector", collector)) if may]
    if not roles and "READ" in raw:
        advice = "run doctor as the worker's user as well to see that it may do its work"
        return warning(CheckName.RIGHTS, "this user may only look, not work", advice)
    if not roles:
        detail = (
            f"neither a worker's (READ {kafka.raw_topic}, WRITE {kafka.quarantine_topic}) "
            f"nor a collector's (WRITE {kafka.raw_topic})"
        )
        return failed(CheckName.RIGHTS, detail, "see the ACLs of this user")
    return ok(CheckName.RIGHTS, f"enough for a {' and a '.join(roles)}")


def _check_workers(settings: Settings, admin: KafkaAdmin) -> Result:
    kafka = settings.kafka
    try:
        state = admin.group(kafka.group, kafka.raw_topic)
        state = replace(state, members=admin.members(kafka.group))
    except KafkaAdminError as error:
        return failed(CheckName.WORKERS, str(error), "run trailwarden setup, or see the ACLs")
    return judge_workers(kafka.group, state)


def judge_workers(group: str, state: GroupState) -> Result:
    """Return whether workers run, and how far behind they are."""
    lag = sum(state.lag.values())
    detail = f"group {group}: {state.members} member(s), {lag:,} records behind their checkpoints"
    if not state.members:
        advice = "nothing is detected: trailwarden run"
        fresh = not state.committed and not lag
        return (warning if fresh else failed)(CheckName.WORKERS, detail, advice)
    if state.members > len(state.lag):
        advice = f"`raw` has {len(state.lag)} partitions: more workers than that are idle"
        return warning(CheckName.WORKERS, detail, advice)
    return ok(CheckName.WORKERS, detail)


def _check_tail(
    settings: Settings, config: Mapping[str, object], now: datetime
) -> Iterator[Result]:
    silence = timedelta(seconds=settings.notify.silence_s)
    try:
        tail = read_tail(config, settings.kafka.raw_topic, now, silence, time.monotonic)
    except TopicUnreadableError as error:
        yield failed(CheckName.SOURCES, str(error), "run trailwarden setup, or see the ACLs")
        yield skipped(CheckName.CLOCKS, "records cannot be read")
        return
    yield judge_sources(tail, now, silence)
    yield judge_clocks(tail, now)


def judge_sources(tail: Tail, now: datetime, silence: timedelta) -> Result:
    """Return which sources have sent no canary for longer than ``silence``."""
    silent = [source for source, heard in tail.heard.items() if now - heard > silence]
    alive = len(tail.heard) - len(silent)
    if not tail.is_whole:
        detail = f"{alive} sources heard of; too many records to read them all"
        return ok(CheckName.SOURCES, f"{detail}: see the workers' metrics")
    if silent:
        silent.sort()
        names = "; ".join(
            f"{' '.join(source).strip()} since {tail.heard[source]:%Y-%m-%d %H:%M:%SZ}"
            for source in silent[:SHOWN]
        )
        more = f" and {len(silent) - SHOWN} more" if len(silent) > SHOWN else ""
        detail = f"{alive} sources send canaries, {len(silent)} are silent: {names}{more}"
        return failed(CheckName.SOURCES, detail, "see whether these sources and collectors run")
    if not alive:
        advice = "trailwarden collect ... begins to send"
        return warning(CheckName.SOURCES, "no source has sent a canary within a day", advice)
    return ok(CheckName.SOURCES, f"{alive} sources send canaries")


def judge_clocks(tail: Tail, now: datetime) -> Result:
    """Return whose clock is off: ours against the broker's, collectors' against the broker's."""
    if tail.newest is None:
        return skipped(CheckName.CLOCKS, "no record in a day to compare with")
    wrong = []
    ahead_s = (tail.newest - now).total_seconds()
    if ahead_s > LIMIT_S:
        wrong.append(f"this machine is {ahead_s:.0f} s behind the broker")
    wrong += [
        f"{cluster} {collector} is {abs(off_s):.0f} s {'ahead of' if off_s > 0 else 'behind'} it"
        for (cluster, collector), off_s in sorted(tail.clock_off_s.items())
        if abs(off_s) > LIMIT_S
    ]
    if wrong:
        return warning(CheckName.CLOCKS, "; ".join(wrong[:SHOWN]), "set the clocks by NTP")
    collectors = len(tail.clock_off_s)
    return ok(
        CheckName.CLOCKS, f"ours and those of {collectors} collectors agree with the broker's"
    )


def _check_quarantine(settings: Settings, config: Mapping[str, object], now: datetime) -> Result:
    kafka, since = settings.kafka, now - timedelta(hours=1)
    try:
        refused, taken = (
            sum(max(span.end - span.first, 0) for span in spans_of(config, topic, since))
            for topic in (kafka.quarantine_topic, kafka.raw_topic)
        )
    except TopicUnreadableError as error:
        return skipped(CheckName.QUARANTINE, str(error))
    return judge_quarantine(refused, taken, settings.worker.quarantine_share)


def judge_quarantine(refused: int, taken: int, limit: float) -> Result:
    """Return whether the share of refused records of the last hour is bearable."""
    share = refused / taken if taken else float(refused > 0)
    detail = f"{refused:,} of {taken:,} records of the last hour were refused"
    advice = "trailwarden quarantine list shows why"
    if refused and share > limit:
        return failed(CheckName.QUARANTINE, detail, advice)
    if share > QUARANTINE_WARNING:
        return warning(CheckName.QUARANTINE, detail, advice)
    return ok(CheckName.QUARANTINE, detail)
