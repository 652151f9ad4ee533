"""Whatever a correlation says: it becomes one that can be folded, or is refused with its places."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detectors.correlation.plan import plan_for
from detectors.sigma.compiler import load_pack
from detectors.sigma.correlation import CorrelationType
from detectors.sigma.errors import InvalidRulesError

if TYPE_CHECKING:
    from pathlib import Path

    from detectors.sigma.pack import Pack

ID = "0a0a0a0a-0000-4000-8000-00000000000"
BASES = "".join(
    f"title: Base\nname: {name}\nlogsource: {{product: kubernetes}}\n"
    f"detection: {{sel: {{user.name: {name}}}, condition: sel}}\n---\n"
    for name in "ab"
)
values = st.sampled_from([
    "null", "true", "0", "1", "-1", "2.5", "10001", "''", "a", "b", "c", "who", "x", "5m", "0s",
    "user.name", "sourceIPs", "log.offset", "'@timestamp'", "a and b", "not a", "a or (b", "1d",
])  # fmt: skip
keys = st.sampled_from(["a", "b", "gte", "lt", "eq", "field", "percentile", "events", "time", "x"])
nested = st.recursive(
    values,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda parts: f"[{', '.join(parts)}]")
        | st.dictionaries(keys, inner, max_size=3).map(
            lambda parts: "{" + ", ".join(f"{key}: {value}" for key, value in parts.items()) + "}"
        )
    ),
    max_leaves=4,
)
sections = st.fixed_dictionaries(
    {
        "type": st.sampled_from([*CorrelationType, "x"]),
        "rules": st.sampled_from(["[a]", "[a, b]", "[b, a]"]) | nested,
        "timespan": st.sampled_from(["1m", "5m", "90d"]) | nested,
    },
    optional={
        "condition": st.sampled_from(["{gte: 2}", "{field: user.name, gte: 2}", "a and b"])
        | nested,
        "group-by": nested,
        "aliases": st.just("{who: {a: user.name, b: source.ip}}") | nested,
        "learning": nested,
        "peers": nested,
        "generate": nested,
    },
)


def loaded_or_refused(file: Path) -> Pack | InvalidRulesError:
    try:
        return load_pack([file])
    except InvalidRulesError as refused:
        return refused


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(sections)
def test_it_becomes_a_plan_or_is_refused(tmp_path: Path, section: dict[str, str]) -> None:
    lines = "".join(f"  {key}: {value}\n" for key, value in section.items())
    file = tmp_path / "x.yml"
    file.write_text(f"{BASES}title: T\nid: {ID}1\ncorrelation:\n{lines}")

    loaded = loaded_or_refused(file)

    if isinstance(loaded, InvalidRulesError):
        count = file.read_text().count("\n") + 1
        assert loaded.errors
        assert all(1 <= error.line <= count and error.column >= 1 for error in loaded.errors)
        assert all(error.message for error in loaded.errors)
        return
    pack = loaded
    (correlation,) = pack.correlations
    assert plan_for(pack).correlations == (correlation,)
    assert all(len(base.group_by) == len(correlation.group_by) for base in correlation.bases)
    assert correlation.timespan_us > 0
    assert bool(correlation.bounds or correlation.type not in {"event_count", "value_count"})
