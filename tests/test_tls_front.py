"""The front answers as Elasticsearch's security plugin does, and else as the real node does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from elastic_transport import TlsError
from elasticsearch import ApiError, AuthenticationException, AuthorizationException, Elasticsearch

from tests.authority import Authority
from tests.tls_front import Account, TlsFront

WORKER = Account(
    "worker",
    "s3cret",
    "id:key",
    cluster=frozenset({"monitor"}),
    index=frozenset({"create_doc", "auto_configure"}),
    index_prefix="tlsfront-",
)
pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def front(authority: Authority, elasticsearch_url: str) -> Iterator[TlsFront]:
    everything = Account("admin", "admin")
    with TlsFront(elasticsearch_url, authority.issue("node"), [WORKER, everything]) as started:
        yield started


def client(front: TlsFront, authority: Authority, **identity: object) -> Elasticsearch:
    return Elasticsearch(front.url, ca_certs=str(authority.ca_file), max_retries=0, **identity)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "identity",
    [{"basic_auth": ("worker", "s3cret")}, {"api_key": WORKER.encoded_api_key}],
    ids=["password", "api key"],
)
def test_a_known_account_gets_the_real_answer(
    front: TlsFront, authority: Authority, identity: dict[str, object]
) -> None:
    with client(front, authority, **identity) as asked:
        assert asked.cluster.health()["status"] in {"green", "yellow"}


@pytest.mark.parametrize(
    ("identity", "reason"),
    [
        ({}, "missing authentication credentials"),
        ({"basic_auth": ("worker", "wrong")}, "unable to authenticate user [worker]"),
        ({"api_key": "d3Jvbmc6a2V5"}, "unable to authenticate with provided credentials"),
    ],
)
def test_a_stranger_is_answered_401(
    front: TlsFront, authority: Authority, identity: dict[str, object], reason: str
) -> None:
    with (
        client(front, authority, **identity) as asked,
        pytest.raises(AuthenticationException) as caught,
    ):
        asked.cluster.health()
    assert caught.value.body["error"]["type"] == "security_exception"
    assert reason in caught.value.body["error"]["reason"]


def test_rights_that_are_missing_are_answered_403(front: TlsFront, authority: Authority) -> None:
    with (
        client(front, authority, basic_auth=("worker", "s3cret")) as asked,
        pytest.raises(AuthorizationException, match="unauthorized for"),
    ):
        asked.indices.put_index_template(name="tlsfront", index_patterns=["tlsfront-*"])


def test_a_bulk_request_is_denied_by_item(front: TlsFront, authority: Authority) -> None:
    with client(front, authority, basic_auth=("worker", "s3cret")) as asked:
        foreign = asked.bulk(operations=[{"create": {"_index": "other", "_id": "1"}}, {"a": 1}])
        own = asked.bulk(
            operations=[{"create": {"_index": "tlsfront-1", "_id": "1"}}, {"a": 1}], refresh=True
        )
    assert foreign["items"][0]["create"]["error"]["type"] == "security_exception"
    assert own["items"][0]["create"]["status"] == 201
    with client(front, authority, basic_auth=("admin", "admin")) as asked:
        asked.indices.delete(index="tlsfront-1")
        with pytest.raises(ApiError):
            asked.indices.get(index="other")


def test_another_authority_is_refused_by_the_client(
    front: TlsFront, authority: Authority, tmp_path: Path
) -> None:
    other = Authority(tmp_path)
    with (
        client(front, other, basic_auth=("worker", "s3cret")) as asked,
        pytest.raises(TlsError) as caught,
    ):
        asked.cluster.health()
    assert "CERTIFICATE_VERIFY_FAILED" in repr(caught.value)
    with client(front, authority, basic_auth=("worker", "s3cret")) as asked:
        assert asked.cluster.health()["number_of_nodes"] == 1


def test_the_authority_can_be_pinned_by_its_fingerprint(
    front: TlsFront, authority: Authority
) -> None:
    pinned = Elasticsearch(
        front.url,
        ssl_assert_fingerprint=authority.fingerprint,
        verify_certs=True,
        ca_certs=str(authority.ca_file),
        basic_auth=("worker", "s3cret"),
    )
    with pinned:
        assert pinned.cluster.health()["number_of_nodes"] == 1
