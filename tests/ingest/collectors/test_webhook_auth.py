from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ingest.collectors.refusal import Refusal, RequestRefusedError
from ingest.collectors.webhook_auth import (
    InvalidTokensError,
    Senders,
    is_cluster_name,
    read_tokens,
)

TOKEN = "0123456789abcdef-prod"
OTHER = "0123456789abcdef-test"


def certificate(*names: str) -> dict[str, Any]:
    return {"subject": tuple((("commonName", name),) for name in names)}


def refusal(senders: Senders, path: str, token: str | None = None, *names: str) -> Refusal:
    with pytest.raises(RequestRefusedError) as caught:
        senders.cluster_of(path, token, certificate(*names) if names else None)
    return caught.value.reason


@pytest.fixture
def by_token(tmp_path: Path) -> Senders:
    file = tmp_path / "tokens"
    file.write_text(f"# comment\n\nprod {TOKEN}\n test   {OTHER} \nprod {TOKEN}-new\n")
    return Senders(read_tokens(file), certificates=False)


def test_without_credentials_the_path_names_the_cluster() -> None:
    senders = Senders(None, certificates=False)
    assert senders.cluster_of("/audit/prod-eu.west_1?timeout=30s", None, None) == "prod-eu.west_1"
    assert refusal(senders, "/audit") is Refusal.PATH
    assert senders.clusters == frozenset()


def test_the_token_names_the_cluster_and_the_path_must_agree(by_token: Senders) -> None:
    assert by_token.cluster_of("/audit", f"Bearer {TOKEN}", None) == "prod"
    assert by_token.cluster_of("/audit/prod", f"bearer {TOKEN}-new", None) == "prod"
    assert by_token.cluster_of("/audit/test", f"Bearer {OTHER}", None) == "test"
    assert refusal(by_token, "/audit/test", f"Bearer {TOKEN}") is Refusal.CLUSTER
    assert by_token.clusters == {"prod", "test"}


@pytest.mark.parametrize(
    "given",
    [None, "", "Bearer", "Bearer ", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x", "Bearer \udcff"],
)
def test_a_missing_or_wrong_token_is_refused(by_token: Senders, given: str | None) -> None:
    assert refusal(by_token, "/audit/prod", given) is Refusal.UNAUTHORIZED


def test_a_token_wins_over_a_certificate(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text(f"prod {TOKEN}\n")
    senders = Senders(read_tokens(file), certificates=True)
    assert senders.cluster_of("/audit", f"Bearer {TOKEN}", certificate("apiserver")) == "prod"
    assert refusal(senders, "/audit", None, "prod") is Refusal.UNAUTHORIZED


def test_the_certificate_names_the_cluster_and_the_path_must_agree() -> None:
    senders = Senders(None, certificates=True)
    assert senders.cluster_of("/audit", None, certificate("prod")) == "prod"
    assert senders.cluster_of("/audit/prod", None, certificate("prod")) == "prod"
    assert refusal(senders, "/audit/test", None, "prod") is Refusal.CLUSTER


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        ((), Refusal.UNAUTHORIZED),
        (("prod", "test"), Refusal.UNAUTHORIZED),
        (("system:kube-apiserver",), Refusal.CLUSTER),
        (("",), Refusal.CLUSTER),
        (("../prod",), Refusal.CLUSTER),
    ],
)
def test_a_certificate_that_names_no_cluster_is_refused(
    names: tuple[str, ...], reason: Refusal
) -> None:
    assert refusal(Senders(None, certificates=True), "/audit", None, *names) is reason


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "",
        "*",
        "/audit/",
        "/audit//prod",
        "/audit/prod/",
        "/audit/prod/x",
        "/audit/..",
        "/audit/../prod",
        "/audit/a..b",
        "/audit/.prod",
        "/audit/prod.",
        "/audit/-prod",
        "/audit/%70rod",
        "/audit/prod%2fx",
        "/audit/prod%00",
        "/audit/prod;x",
        "/audit/prod\\x",
        "/audit/prod#x",
        "/audit/pröd",
        "/audit/prod\n",
        "/audit/prod\x00",
        "/audit/a b",
        "/auditprod",
        "/AUDIT/prod",
        "//audit/prod",
        "/x/../audit/prod",
        "http://host/audit/prod",
        "/audit/" + "a" * 254,
    ],
)
def test_a_path_that_could_be_read_in_two_ways_is_refused(path: str) -> None:
    assert refusal(Senders(None, certificates=False), path) is Refusal.PATH


def test_names_have_the_length_of_dns_names() -> None:
    assert is_cluster_name("a" * 253)
    assert not is_cluster_name("a" * 254)
    assert not is_cluster_name("")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", "no token"),
        ("# only a comment\n", "no token"),
        ("prod\n", ":1:"),
        (f"prod {TOKEN} x\n", ":1:"),
        (f"prod {TOKEN}\npr/od {OTHER}\n", ":2:"),
        ("prod short\n", ":1:"),
        (f"prod {TOKEN}é\n", ":1:"),
        (f"prod {TOKEN}\ntest {TOKEN}\n", "two clusters"),
    ],
)
def test_a_tokens_file_with_a_fault_is_refused_without_showing_it(
    tmp_path: Path, text: str, place: str
) -> None:
    file = tmp_path / "tokens"
    file.write_text(text)
    with pytest.raises(InvalidTokensError, match=place) as caught:
        read_tokens(file)
    assert "0123456789" not in str(caught.value)
    assert "short" not in str(caught.value)


def test_an_unreadable_tokens_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidTokensError, match="cannot be read"):
        read_tokens(tmp_path / "none")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidTokensError, match="cannot be read"):
        read_tokens(tmp_path / "binary")


def test_tokens_are_kept_as_hashes_only(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text(f"prod {TOKEN}\n")
    assert TOKEN not in repr(read_tokens(file))
