"""Whatever the cuts, the order of arrival and the restarts: one memory, and that of an oracle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import polars as pl
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from detectors.entities.asof import every
from detectors.entities.memory import EntityMemory
from detectors.entities.ordered import Entities
from detectors.entities.relation import Relation
from detectors.entities.state import SavedEntities, restore, save, save_memory
from tests.detectors.entities.world import (
    HOUR,
    REPLICASETS,
    SECOND,
    START_US,
    Fact,
    all_seen,
    event,
    fact_frame,
    frame,
    what_was,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

STATES = (Relation.POD_ADDRESS, Relation.BINDING_ROLE)
OBSERVED = (Relation.IDENTITY_NETWORK, Relation.IDENTITY_CALL)
SUBJECTS = ("a", "b")
LATENESS_S = 30
QUICK = settings(
    max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)

times = st.integers(0, 130 * 24).map(lambda hours: START_US + hours * HOUR)
facts_of_states = st.builds(
    Fact, st.sampled_from(STATES), st.sampled_from(SUBJECTS), st.sampled_from(["", "x", "y"]), times
)
facts_of_observed = st.builds(
    Fact, st.sampled_from(OBSERVED), st.sampled_from(SUBJECTS), st.sampled_from(["x", "y"]), times
)
histories = st.lists(st.one_of(facts_of_states, facts_of_observed), max_size=30)


def learned(facts: Sequence[Fact], cuts: Sequence[int], block_rows: int = 65_536) -> EntityMemory:
    """Return a memory of facts that came in pieces, none cut within a microsecond."""
    memory = EntityMemory(block_rows=block_rows)
    bounds = sorted({START_US + cut * HOUR for cut in cuts})
    for start, end in zip([0, *bounds], [*bounds, 2**62], strict=True):
        memory.add(fact_frame([fact for fact in facts if start <= fact.time < end]))
    return memory


@QUICK
@given(histories, st.lists(st.integers(1, 130 * 24), max_size=4), times)
def test_answers_are_those_of_who_reads_all_facts_anew(
    facts: list[Fact], cuts: list[int], time: int
) -> None:
    memory = learned(facts, cuts)
    keys = pl.DataFrame({"at": [0, 1], "key": list(SUBJECTS), "time": [time, time]})
    for relation in STATES:
        answers = memory.as_of(relation, keys.drop("at"))["object"].to_list()
        assert answers == [what_was(facts, relation, subject, time) for subject in SUBJECTS]
    held = memory.about(pl.Series(list(SUBJECTS)))
    for relation in OBSERVED:
        seen = every(held, relation, keys)
        for at, subject in enumerate(SUBJECTS):
            found = set(seen.filter(pl.col("at") == at)["object"])
            assert found == all_seen(facts, relation, subject, time)


@QUICK
@given(histories, st.lists(st.integers(1, 130 * 24), max_size=5), st.integers(1, 6))
def test_equal_states_are_equal_bytes_wherever_the_bounds_were_applied(
    facts: list[Fact], cuts: list[int], block_rows: int
) -> None:
    whole, cut = learned(facts, [], block_rows), learned(facts, cuts, block_rows)
    assert msgspec.msgpack.encode(save_memory(whole)) == msgspec.msgpack.encode(save_memory(cut))


ACCOUNT = "system:serviceaccount:shop:web"
PODS = ("web-1", "web-2")
pod = st.sampled_from(PODS)
address = st.sampled_from(["10.0.0.1", "10.0.0.2", "10.1.0.1", "2001:db8::1"])


def _made(at_s: int, kind: int, name: str, where: str, n: int) -> dict[str, Any]:
    """Return one of the events that a pod's life, a token's or a role's is made of."""
    pods = {"type": "pods", "namespace": "shop", "name": name}
    said: dict[str, Any] = (
        {"action": "create", "user": REPLICASETS, "owner": "ReplicaSet/web-5", "images": ["a"]},
        {"action": "create", "user": "eve", "images": ["b"], "privileged": True},
        {"action": "patch", "subresource": "status", "user": f"system:node:node-{n}"}
        | {"addresses": [where], "host_address": f"10.9.0.{n}", "node": f"node-{n}"},
        {"action": "delete", "user": f"system:node:node-{n}"},
        {"action": "get", "user": ACCOUNT, "token_pod": name, "credential": f"JTI={n}"},
        {"action": "token-request", "type": "serviceaccounts", "name": "web", "user": "ann"}
        | {"issued": f"JTI={n}", "credential": f"JTI={n + 1}"},
        {"action": "create", "type": "networkpolicies", "user": "ann"},
        {"action": "delete", "type": "networkpolicies", "user": "ann"},
        {"action": "create", "type": "rolebindings", "user": "ann", "name": f"b{n}"}
        | {"role": "Role/r", "subjects": ["User/ann", f"User/u{n}"]},
        {"action": "patch", "type": "roles", "user": "ann", "name": "r"}
        | {"rules": [f"get||{name}||"]},
    )[kind]
    return event(at_s, address=where, agent="kubectl", **(pods | said))


happenings = st.lists(
    st.builds(_made, st.integers(0, 600), st.integers(0, 9), pod, address, st.integers(1, 3)),
    min_size=1,
    max_size=16,
    unique_by=lambda told: told["event.id"],
)


def _recalled(
    events: list[dict[str, Any]], cuts: Sequence[int], block_rows: int, *, restarts: bool
) -> tuple[dict[str, Any], bytes]:
    """Fold events that arrive in pieces; return what each recalled, and the state at the end."""
    state = Entities(block_rows=block_rows)
    waiting = frame([])
    found: dict[str, Any] = {}
    newest = 0
    bounds = sorted({min(cut, len(events)) for cut in cuts})
    for start, end in zip([0, *bounds], [*bounds, len(events)], strict=True):
        batch = frame(events[start:end])
        state.add(batch)
        waiting = pl.concat([waiting, batch])
        stamps = waiting["@timestamp"].to_physical()
        newest = max(newest, *batch["@timestamp"].to_physical().to_list(), 0)
        watermark = newest - LATENESS_S * SECOND
        due, waiting = waiting.filter(stamps < watermark), waiting.filter(stamps >= watermark)
        found |= dict(zip(due["event.id"], state.release(watermark, due).rows(), strict=True))
        if restarts:
            data = msgspec.msgpack.encode(save(state))
            state = Entities(block_rows=block_rows)
            restore(msgspec.msgpack.decode(data, type=SavedEntities), state)
            assert msgspec.msgpack.encode(save(state)) == data
    rest = state.release(None, waiting)
    found |= dict(zip(waiting["event.id"], rest.rows(), strict=True))
    return found, msgspec.msgpack.encode(save(state))


@settings(parent=QUICK, max_examples=12, phases=[Phase.explicit, Phase.generate])
@given(
    happenings,
    st.lists(st.integers(1, 16), max_size=2),
    st.randoms(use_true_random=False),
    st.sampled_from([7, 65_536]),
)
def test_cuts_arrival_and_restarts_change_nothing(
    events: list[dict[str, Any]], cuts: list[int], chance: Any, block_rows: int
) -> None:
    in_order = sorted(events, key=lambda told: (told["@timestamp"], told["event.id"]))
    jitter = {told["event.id"]: chance.uniform(0, LATENESS_S - 1) for told in in_order}
    arrived = sorted(
        in_order, key=lambda told: told["@timestamp"].timestamp() + jitter[told["event.id"]]
    )
    whole = _recalled(in_order, [], block_rows, restarts=False)
    assert _recalled(arrived, cuts, block_rows, restarts=True) == whole
