"""F14: no clock but the record's own decides where it is stored; no time in it stops anything."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from uuid import UUID

import orjson
import pytest

from tests.faults.fleet import wait_for
from tests.faults.harness import harness
from tests.faults.planted import CLUSTERS, Planted, Verdict, base
from tests.faults.shifted_clock import shifted_clock

pytestmark = [pytest.mark.integration, pytest.mark.chaos]

DAY_S = 86_400
TIMES = (
    "0001-01-01T00:00:00.000000Z",
    "0000-00-00T00:00:00Z",
    "1970-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999Z",
    "10000-01-01T00:00:00Z",
    "2262-04-12T00:00:00Z",
    "{now}.123456789Z",
    "{now}.123456+14:00",
    "{now}-12:00",
    "{now}",
    "{now}+99:99",
    "2024-02-30T00:00:00Z",
    "2016-12-31T23:59:60Z",
    "garbage",
    "",
    1_700_000_000,
    None,
    ["2024-01-01T00:00:00Z"],
)


def hostile(random: Random, now: datetime) -> list[Planted]:
    """Return an event of each hostile time, for each of the two times that an event has."""
    found = []
    for text in TIMES:
        for names in (["stageTimestamp"], ["stageTimestamp", "requestReceivedTimestamp"]):
            event = base("pod-get-by-node")
            time = (
                text.format(now=now.strftime("%Y-%m-%dT%H:%M:%S"))
                if isinstance(text, str)
                else text
            )
            event["requestReceivedTimestamp"] = now.isoformat()
            event |= dict.fromkeys(names, time)
            event["auditID"] = str(UUID(int=random.getrandbits(128)))
            found.append(Planted(random.choice(CLUSTERS), orjson.dumps(event), Verdict.EVENT))
    return found


def test_a_wrong_clock_and_hostile_times_change_no_index(
    tmp_path: Path, kafka: str, elasticsearch_url: str
) -> None:
    with harness(tmp_path, kafka, elasticsearch_url) as world:
        with world.generator(1_000) as generator:
            for off_days in (3, -3):
                environment = shifted_clock(tmp_path, off_days * DAY_S)
                with world.fleet(environment=environment) as fleet:
                    worker = fleet.start("one")
                    before = sum(world.committed().values())
                    for planted in hostile(world.random, datetime.now(UTC)):
                        generator.plant(planted)
                    wait_for(
                        lambda: sum(world.committed().values()) > before + 1_000,  # noqa: B023
                        180,
                        f"progress with the clock {off_days} days off:\n{worker.tail()}",
                    )
                    assert_shifted(worker.lines("started")[0]["time"], off_days)
                    fleet.kill("one")
        with world.fleet() as fleet:
            fleet.start("one")
            world.drain(fleet)
            fleet.stop_all()
        world.judge(generator)
        prefix = world.settings.elasticsearch.prefix
        names = set(world.client.indices.get(index=f"{prefix}-events-*"))
    print(sorted(names))
    days = {day for planted in generator.sent for day in planted_days(planted)}
    assert names <= {f"{prefix}-events-{day}" for day in (*days, "outofrange")}


def assert_shifted(text: str, days: int) -> None:
    """The worker really had the wrong clock."""
    shift = datetime.fromisoformat(text) - datetime.now(UTC)
    assert round(shift.total_seconds() / DAY_S) == days


def planted_days(planted: Planted) -> Iterator[str]:
    """Return the UTC days of the times near now that an event names; none of another record."""
    try:
        event = orjson.loads(planted.value)
        texts = [event["stageTimestamp"], event["requestReceivedTimestamp"]]
    except (ValueError, TypeError, KeyError):
        return
    for text in texts:
        with suppress(ValueError, TypeError):
            time = datetime.fromisoformat(text)
            if abs(time - datetime.now(UTC)) < timedelta(days=1):
                yield time.astimezone(UTC).strftime("%Y.%m.%d")
