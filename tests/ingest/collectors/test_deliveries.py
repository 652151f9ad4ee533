from __future__ import annotations

import asyncio

from ingest.collectors.deliveries import DOUBT_S, Deliveries
from tests.ingest.collectors.webhook_fakes import FakeProducer


def test_doubt_ends_with_a_success_or_with_time() -> None:
    async def check() -> None:
        deliveries = Deliveries(FakeProducer(), lambda _: None)
        assert not deliveries.in_doubt(100.0)
        deliveries.last_success_s = 90.0
        deliveries.last_failure_s = 100.0
        assert deliveries.in_doubt(100.0)
        assert deliveries.in_doubt(100.0 + DOUBT_S)
        assert not deliveries.in_doubt(100.1 + DOUBT_S)
        deliveries.last_success_s = 101.0
        assert not deliveries.in_doubt(101.0)

    asyncio.run(check())
