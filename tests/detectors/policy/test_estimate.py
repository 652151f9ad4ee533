from __future__ import annotations

from collections.abc import Callable

from detectors.policy.acts import Act, Variant
from detectors.policy.audit_policy import AuditLevel, Stage
from detectors.policy.estimate import estimated_acts
from detectors.sigma.rule import Rule

Load = Callable[[str], Rule]


def levels(load: Load, detection: str) -> dict[str, AuditLevel]:
    """The lowest level at which each kind of request may be seen."""
    return {act.name: lowest(act) for act in estimated_acts([load(detection)])}


def lowest(act: Act) -> AuditLevel:
    (sight,) = act.sights
    found = [v.level for v in sight.seen if sight.is_seen(v)]
    assert all(Variant(level, Stage.RESPONSE_COMPLETE) in sight.seen for level in found)
    return min(found)


def test_what_stands_in_every_record_needs_metadata_only(load: Load) -> None:
    found = levels(
        load,
        "  sel:\n    verb: list\n    objectRef.resource: secrets\n    user.username: bob\n"
        "  condition: sel\n",
    )
    assert found == {"list secrets": AuditLevel.METADATA}


def test_what_stands_in_a_body_needs_a_request_that_has_one(load: Load) -> None:
    found = levels(
        load,
        "  sel:\n    objectRef.resource: pods\n    objectRef.subresource: null\n"
        "    hostPath: /etc\n  condition: sel\n",
    )
    assert found == {f"{verb} pods": AuditLevel.REQUEST for verb in ("create", "update", "patch")}


def test_a_body_that_must_not_be_there_is_missing_where_bodies_are(load: Load) -> None:
    found = levels(
        load,
        "  sel:\n    verb: create\n    objectRef.resource: roles\n  body:\n"
        "    trailwarden.rbac.wildcard: true\n  condition: sel and not body\n",
    )
    assert found == {"create roles": AuditLevel.METADATA}


def test_either_part_of_an_alternative_will_do(load: Load) -> None:
    found = levels(
        load,
        "  a:\n    verb: create\n    objectRef.resource: roles\n"
        "    trailwarden.rbac.wildcard: true\n  b:\n    verb: delete\n"
        "    objectRef.resource: roles\n  condition: a or b\n",
    )
    assert found == {"create roles": AuditLevel.REQUEST, "delete roles": AuditLevel.METADATA}


def test_the_command_of_an_exec_needs_no_body(load: Load) -> None:
    found = levels(load, "  sel:\n    event.action: exec\n    process.args: nc\n  condition: sel\n")
    assert found == {"create pods/exec": AuditLevel.METADATA, "get pods/exec": AuditLevel.METADATA}
