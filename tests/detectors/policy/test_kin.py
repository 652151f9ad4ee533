from __future__ import annotations

import orjson

from detectors.policy.kin import kin_of
from detectors.policy.record_cut import Record, request_of
from ingest.facets.pod_spec import pod_spec_facet
from ingest.redact.token import Redactor
from worker.settings import shipped_rules


def base(name: str) -> Record:
    record: Record = orjson.loads((shipped_rules() / "bases" / f"{name}.json").read_bytes())
    return record


def kinds(name: str) -> set[tuple[str, str]]:
    return {(one["verb"], request_of(one).combined) for one in kin_of(base(name))}


def test_a_pod_has_every_workload_for_kin_and_each_runs_the_same() -> None:
    found = kinds("pod-create-privileged")
    assert ("create", "statefulsets") in found
    assert ("update", "cronjobs") in found
    assert ("create", "pods") not in found
    assert len(found) == 9 * 3 - 1
    for one in kin_of(base("pod-create-privileged")):
        facet = pod_spec_facet(request_of(one).resource, one["requestObject"], Redactor())
        assert facet["trailwarden.pod_spec.privileged"] is True


def test_roles_and_webhooks_have_their_like() -> None:
    assert ("patch", "rolebindings") in kinds("clusterrolebinding-create")
    assert ("create", "validatingwebhookconfigurations") in kinds("webhook-create")
    roles = [one for one in kin_of(base("clusterrole-create")) if one["objectRef"].get("namespace")]
    assert {request_of(one).resource for one in roles} == {"roles"}


def test_who_connects_may_do_so_by_two_verbs_and_who_reads_by_three() -> None:
    assert kinds("exec-spdy") == {("get", "pods/exec")}
    assert kinds("secrets-list") == {("get", "secrets"), ("watch", "secrets")}
    assert kinds("anonymous-version") == set()


def test_a_deletion_is_like_no_creation() -> None:
    assert kinds("clusterrole-delete") == {
        ("deletecollection", "clusterroles"),
        ("delete", "roles"),
        ("deletecollection", "roles"),
    }
