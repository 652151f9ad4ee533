"""The audit log's sessions and sensors' processes: who is behind what, what nobody asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import polars as pl
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from detectors.entities.entity_view import view_of
from detectors.entities.ordered import Entities
from detectors.entities.process_facts import PATIENCE_US
from detectors.entities.relation import Relation
from detectors.entities.state import SavedEntities, restore, save
from tests.detectors.entities.world import SECOND, START_US, event, frame

if TYPE_CHECKING:
    from collections.abc import Sequence

PREFIX = "trailwarden.recalled."
HUMAN = "human.name"
UNAUDITED = "process.unaudited"
POD = {"type": "pods", "namespace": "shop", "name": "web-1"}
OUT_OF_TREE = '{"in_init_tree":false}'


def entered(at_s: float, user: str = "ann", command: str = "bash", **said: Any) -> dict[str, Any]:
    """Return the record that lets somebody in."""
    known = {"manner": "exec", "stage": "ResponseStarted", "container": "shop", "id": "a1"} | said
    made = event(
        at_s, **POD, action=known["manner"], subresource="exec", user=user, address="10.0.0.9"
    )
    return made | {
        "kubernetes.audit.stage": known["stage"],
        "kubernetes.audit.auditID": known["id"],
        "process.args": command.split() or None,
        "container.name": known["container"],
        "event.id": f"{made['event.id']}{known['stage']}{known['id']}{command}",
        **{name: value for name, value in known.items() if "." in name},
    }


def ran(
    at_s: float, line: str = "bash", key: str = "p1", above: str = "0", **said: Any
) -> dict[str, Any]:
    """Return a process as a sensor tells of it; of ``above`` "0" it came from outside."""
    known = {"terminal": None, "told": None, "container": "shop", "action": "process-start"} | said
    made = event(at_s, **POD, action=known["action"], dataset="tetragon.events")
    return made | {
        "process.entity_id": key,
        "process.parent.entity_id": above,
        "process.parent.name": "runc" if above == "0" else "bash",
        "process.command_line": line,
        "trailwarden.process.terminal": known["terminal"],
        "trailwarden.tool.fields": known["told"],
        "container.name": known["container"],
        "event.id": f"{made['event.id']}{key}",
        **{name: value for name, value in known.items() if "." in name},
    }


def recalled(*events: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what each event recalled, by short names."""
    state = Entities()
    batch = frame(list(events))
    state.add(batch)
    told = state.release(None, batch).rows(named=True)
    return [{name.removeprefix(PREFIX): value for name, value in row.items()} for row in told]


def names(*events: dict[str, Any]) -> list[str] | None:
    """Return who is behind the last event."""
    found: list[str] | None = recalled(*events)[-1][HUMAN]
    return found


def test_who_is_inside_is_named_with_their_session() -> None:
    told = recalled(entered(0), ran(1), ran(9, "apt-get install nmap", "p2", "p1"))[-1]
    human = {name: value for name, value in told.items() if name.startswith("human.")}
    assert human.pop("human.since").timestamp() * 1_000_000 == START_US
    assert human == {
        "human.name": ["ann"],
        "human.names": "ann",
        "human.type": ["human"],
        "human.address": ["10.0.0.9"],
        "human.session": ["a1"],
    }


def test_what_the_workload_does_meanwhile_is_nobodys() -> None:
    assert names(entered(0), ran(1, "worker", "w2", "w1")) is None
    assert names(entered(0), ran(1, "cat /tmp/ready", "w2")) is None
    assert names(ran(0, "server", "w1"), entered(60), ran(61, "worker", "w2", "w1")) is None


def test_descendants_stay_theirs_after_the_session_has_ended() -> None:
    leave = entered(20, stage="ResponseComplete")
    start = (entered(0), ran(1), ran(10, "nohup ./x", "p2", "p1"), leave)
    assert names(*start, ran(3_600, "./x", "p3", "p2")) == ["ann"]
    assert names(entered(0), leave, ran(3_600, "./x", "p3", "p2", terminal="1")) is None
    assert names(entered(0), leave, ran(21, "./x", "p3", "p2", terminal="1")) == ["ann"]


def test_of_two_who_could_be_both_are_named() -> None:
    both = (entered(0), entered(1, "bob", id="b1"), ran(2))
    assert names(*both) == ["ann", "bob"]
    assert names(*both, ran(9, "id", "p2", "p1")) == ["ann", "bob"]
    assert names(*both, ran(9, "id", "p9", "p8", terminal="1")) == ["ann", "bob"]


def test_a_command_tells_two_apart() -> None:
    both = (entered(0), entered(1, "bob", "apt-get update", id="b1"))
    assert names(*both, ran(2, "/usr/bin/apt-get update", "p2")) == ["bob"]
    assert names(*both, ran(2, "/bin/bash", "p1"), ran(9, "id", "p3", "p1")) == ["ann"]
    shells = (entered(0, "ann", "sh -c id"), entered(1, "bob", "sh -c ls", id="b1"))
    assert names(*shells, ran(2, '/bin/sh -c "ls"', "p2")) == ["bob"]


def test_a_command_that_came_of_another_request_is_not_theirs() -> None:
    assert names(entered(0, command="ls"), ran(1, "bash", terminal="1")) is None
    assert names(entered(0, command="sh -c x"), ran(1, "zsh", terminal="1")) == ["ann"]
    assert names(entered(0, command="python3"), ran(1, "/usr/bin/python3.11")) == ["ann"]
    assert names(entered(0), ran(60)) is None


def test_what_is_below_the_runtime_tells_where_no_process_is_known() -> None:
    above: dict[str, Any] = {"trailwarden.process.ancestors": ["make", "bash", "containerd-shim"]}
    assert names(entered(0), ran(9, "cc", "p7", "p6", **above)) == ["ann"]
    above = {"trailwarden.process.ancestors": ["make", "node", "containerd-shim"]}
    assert names(entered(0), ran(9, "cc", "p7", "p6", **above)) is None


def test_a_file_event_is_asked_by_its_process_and_its_parent() -> None:
    start = (entered(0), ran(1))
    changed = ran(9, "vi x", "p2", "p1", action="file-modify")
    assert names(*start, changed) == ["ann"]
    assert names(*start, ran(8, "vi x", "p2", "p1"), changed | {"process.parent.entity_id": None})


@pytest.mark.parametrize(
    ("asked", "runs", "found"),
    [
        ("shop", "side", None),
        (None, "side", ["ann"]),
        ("shop", None, ["ann"]),
        ("a\nb", "a b", ["ann"]),
    ],
)
def test_a_session_is_of_one_container(
    asked: str | None, runs: str | None, found: list[str] | None
) -> None:
    assert names(entered(0, container=asked), ran(1, container=runs)) == found


def test_the_name_of_a_container_cannot_forge_a_session() -> None:
    forged = entered(0, container="shop\n10.0.0.1\nbash\nx", id="f\nroot")
    assert names(forged, ran(1)) is None
    assert names(forged, ran(1, container=None)) == ["ann"]


def test_an_attached_person_may_be_behind_what_has_a_terminal() -> None:
    attached = entered(0, manner="attach", command="")
    assert names(ran(-90), attached, ran(9, "id", "p2", "p1")) is None
    assert names(ran(-90), attached, ran(9, "id", "p2", "p1", terminal="1")) == ["ann"]
    both = (entered(0, "bob", id="b1"), attached, ran(1, terminal="1"))
    assert names(*both) == ["ann", "bob"]


def debug(at_s: float) -> dict[str, Any]:
    body = '{"spec":{"ephemeralContainers":[{"name":"dbg","image":"busybox"}]}}'
    said = {"kubernetes.audit.requestObject": body, "kubernetes.audit.auditID": "d1"}
    made = event(at_s, **POD, action="patch", subresource="ephemeralcontainers", user="ann")
    return made | said


def test_who_puts_a_container_into_a_pod_is_behind_all_in_it() -> None:
    assert names(debug(0), ran(600, "sh", container="dbg")) == ["ann"]
    assert names(debug(0), ran(600, "sh", container="shop")) is None


def test_a_node_that_is_asked_by_the_api_server_tells_of_the_pod() -> None:
    said = {"url.path": "/api/v1/nodes/n1/proxy/run/shop/web-1/shop"}
    by_node = entered(0, manner="proxy", **said) | {"orchestrator.resource.type": "nodes"}
    assert names(by_node, ran(1)) == ["ann"]
    service = by_node | {"orchestrator.resource.type": "services"}
    assert names(service, ran(1)) is None


def test_a_pod_of_the_same_name_is_another_one() -> None:
    first = event(
        -9, **POD, action="patch", subresource="status", user="system:node:n", pod_uid="1"
    )
    other = event(9, **POD, action="patch", subresource="status", user="system:node:n", pod_uid="2")
    shell = ran(10, "id", "p2", "p9", terminal="1")
    assert names(first, entered(0), shell) == ["ann"]
    assert names(first, entered(0), other, shell) is None


def test_clocks_that_differ_by_some_seconds_do_not_matter() -> None:
    below = ran(9, "id", "p2", "p1")
    assert names(ran(0), entered(4), below) == ["ann"]
    assert names(ran(0), entered(6), below) is None


LOG = (entered(-3_000, id="z1") | {"orchestrator.resource.name": "other"}, event(-100))
SHELL: dict[str, Any] = {"terminal": "34816"}


@pytest.mark.parametrize(
    ("events", "answer"),
    [
        ((*LOG, ran(0, **SHELL)), True),
        ((*LOG, ran(0, told=OUT_OF_TREE)), True),
        ((*LOG, ran(0)), None),
        ((*LOG, ran(0, "sh", "p2", "p1", **SHELL)), None),
        ((*LOG, ran(0, action="file-open", **SHELL)), None),
        ((*LOG, ran(0, told='{"in_init_tree":false,"maybe_exec_probe":true}')), None),
        ((*LOG, ran(0, told='{"proc.vpid":1}', **SHELL)), None),
        ((*LOG, ran(0, told='{"in_init_tree":false,"host_namespaces":["pid"]}')), None),
        ((*LOG, ran(0, told='{"host_namespaces":["pid"]}', **SHELL)), True),
        ((*LOG, entered(-50), ran(0, **SHELL)), False),
        ((*LOG, entered(-70), ran(0, **SHELL)), True),
        ((*LOG, ran(0, **SHELL), entered(4)), False),
        ((*LOG, ran(0, **SHELL), entered(6)), True),
        ((*LOG, entered(-50, command="ls"), ran(0, **SHELL)), True),
        ((*LOG, entered(-50, container="side"), ran(0, **SHELL)), True),
        ((*LOG, debug(-3_000), ran(0, container="dbg", **SHELL)), False),
        ((*LOG, debug(-3_700), ran(0, container="dbg", **SHELL)), True),
        ((*LOG, entered(-9, manner="attach", command=""), ran(0, **SHELL)), False),
        ((*LOG, event(-60, **POD, action="create", user="ann"), ran(0, **SHELL)), None),
        ((*LOG, event(-900, **POD, action="create", user="ann"), ran(0, **SHELL)), True),
        ((LOG[0], ran(0, **SHELL)), None),
        ((event(-100), ran(0, **SHELL)), None),
        ((LOG[0] | {"kubernetes.audit.stage": "ResponseComplete"}, LOG[1], ran(0, **SHELL)), None),
        ((LOG[0] | {"event.outcome": "failure"}, LOG[1], ran(0, **SHELL)), None),
        ((ran(0, **SHELL),), None),
    ],
)
def test_a_shell_that_nobody_asked_for_is_told_only_where_the_log_would_tell(
    events: tuple[dict[str, Any], ...], answer: bool | None
) -> None:
    told = {one["event.id"]: row for one, row in zip(events, recalled(*events), strict=True)}
    (asked,) = [one for one in events if one["event.dataset"] == "tetragon.events"]
    assert told[asked["event.id"]][UNAUDITED] is answer


def test_a_pod_that_shares_the_processes_of_its_node_has_no_tree() -> None:
    made = event(-900, **POD, action="create", user="ann", images=["a"])
    made["trailwarden.pod_spec.host_pid"] = True
    assert recalled(*LOG, made, ran(0, told=OUT_OF_TREE))[-1][UNAUDITED] is None
    assert recalled(*LOG, made, ran(0, **SHELL))[-1][UNAUDITED] is True


def test_processes_are_remembered_only_where_somebody_is() -> None:
    state = Entities()
    state.add(frame([ran(-100), entered(0), ran(4, "x", "p2", "p1"), ran(90_000, "y", "p3", "p1")]))
    state.release(None)
    held = state.memory("c").of_relations([Relation.PROCESS_PARENT])
    assert held["name"].to_list() == ["p2"]


def test_a_pod_shows_who_entered_it() -> None:
    state = Entities()
    state.add(frame([entered(0), entered(5, "bob", id="b1"), entered(9, stage="ResponseComplete")]))
    state.release(None)
    view = view_of(state.memory("c"), "shop/web-1", START_US + 60 * SECOND)
    shown = [(one.user, one.command, one.manner, one.ended is None) for one in view.sessions]
    assert shown == [("ann", "bash", "exec", False), ("bob", "bash", "exec", True)]
    early = view_of(state.memory("c"), "shop/web-1", START_US + SECOND)
    assert [one.user for one in early.sessions] == ["ann"]
    assert not any(line.relation is Relation.POD_SESSION for line in view.own)


def _made(at_s: int, kind: int, who: str, n: int) -> dict[str, Any]:
    return (
        lambda: entered(at_s, who, id=who),
        lambda: entered(at_s, who, id=who, stage="ResponseComplete"),
        lambda: entered(at_s, who, "ls", id=who + "l"),
        lambda: ran(at_s, "bash", f"p{n}", terminal="1"),
        lambda: ran(at_s, "id", f"p{n}", f"p{n - 1}"),
        lambda: ran(at_s, "id", f"p{n}", f"p{n - 1}", terminal="1"),
        lambda: event(at_s, user="eve"),
    )[kind]()


happenings = st.lists(
    st.builds(
        _made, st.integers(0, 90), st.integers(0, 6), st.sampled_from("ab"), st.integers(1, 5)
    ),
    min_size=1,
    max_size=20,
    unique_by=lambda told: told["event.id"],
)


def _folded(
    events: list[dict[str, Any]], cuts: Sequence[int], block_rows: int
) -> dict[str, tuple[Any, ...]]:
    """Return what each event recalled, of events that arrive in pieces, with a restart at each."""
    state = Entities(block_rows=block_rows)
    waiting, newest = frame([]), 0
    found: dict[str, tuple[Any, ...]] = {}
    bounds = sorted({min(cut, len(events)) for cut in cuts})
    for start, end in zip([0, *bounds], [*bounds, len(events)], strict=True):
        batch = frame(events[start:end])
        state.add(batch)
        waiting = pl.concat([waiting, batch])
        newest = max(newest, *batch["@timestamp"].to_physical().to_list(), 0)
        watermark = newest - 30 * SECOND
        due = waiting.filter(pl.col("@timestamp").to_physical() < watermark - PATIENCE_US)
        waiting = waiting.join(due, on="event.id", how="anti")
        told = state.release(watermark, due, patience_us=PATIENCE_US)
        found |= dict(
            zip(due["event.id"], told.select(f"^{PREFIX}(human|process).*$").rows(), strict=True)
        )
        data = msgspec.msgpack.encode(save(state))
        state = Entities(block_rows=block_rows)
        restore(msgspec.msgpack.decode(data, type=SavedEntities), state)
    told = state.release(None, waiting, patience_us=PATIENCE_US)
    rest = told.select(f"^{PREFIX}(human|process).*$").rows()
    return found | dict(zip(waiting["event.id"], rest, strict=True))


@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
@given(
    happenings,
    st.lists(st.integers(1, 20), max_size=3),
    st.randoms(use_true_random=False),
    st.sampled_from([5, 65_536]),
)
def test_cuts_arrival_and_restarts_change_nothing(
    events: list[dict[str, Any]], cuts: list[int], chance: Any, block_rows: int
) -> None:
    in_order = sorted(events, key=lambda told: (told["@timestamp"], told["event.id"]))
    jitter = {told["event.id"]: chance.uniform(0, 29) for told in in_order}
    arrived = sorted(
        in_order, key=lambda told: told["@timestamp"].timestamp() + jitter[told["event.id"]]
    )
    assert _folded(arrived, cuts, block_rows) == _folded(in_order, [], block_rows)


def test_a_session_that_is_told_of_later_is_waited_for() -> None:
    process, later, session = ran(40), event(71, user="eve"), entered(42)
    told = _folded([process, later, session], [2], 65_536)
    assert told == _folded([process, session, later], [], 65_536)
    assert told[process["event.id"]][0] == ["ann"]
