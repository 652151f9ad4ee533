from __future__ import annotations

import socket
import ssl
import warnings
from pathlib import Path

import pytest

from ingest.collectors.webhook_auth import Senders
from ingest.collectors.webhook_tls import UnsafeListenerError, listener_tls
from tests.ingest.collectors.webhook_certificates import Authority, Pair, client_tls
from tests.ingest.collectors.webhook_fakes import RunningWebhook, event_list, events, post, until

BODY = event_list(*events(1))


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "authority")


@pytest.fixture
def server(authority: Authority) -> Pair:
    return authority.issue("webhook", file="server")


def test_tls_without_client_certificates(authority: Authority, server: Pair) -> None:
    tls = listener_tls("0.0.0.0", server.certificate, server.key, None)  # noqa: S104
    with RunningWebhook(tls=tls) as webhook:
        assert post(webhook, BODY, tls=client_tls(authority)).status == 200
        assert webhook.producer.clusters == ["prod"]


def test_the_certificate_names_the_cluster(authority: Authority, server: Pair) -> None:
    client = client_tls(authority, authority.issue("prod-eu", file="client"))
    with certified(authority, server) as webhook:
        assert post(webhook, BODY, "/audit", tls=client).status == 200
        assert post(webhook, BODY, "/audit/prod-eu", tls=client).status == 200
        assert post(webhook, BODY, "/audit/other", tls=client).status == 403
        assert webhook.producer.clusters == ["prod-eu", "prod-eu"]


def test_a_certificate_without_one_cluster_name_is_refused(
    authority: Authority, server: Pair
) -> None:
    with certified(authority, server) as webhook:
        for names, status in (
            (["system:apiserver"], 403),
            (["a", "b"], 401),
            ([], 401),
        ):
            client = client_tls(authority, authority.issue(*names, file="client"))
            assert post(webhook, BODY, "/audit", tls=client).status == status
        assert webhook.producer.sent == []


def test_no_certificate_or_one_of_another_authority_gets_nowhere(
    authority: Authority, server: Pair, tmp_path: Path
) -> None:
    other = Authority(tmp_path, "other")
    with certified(authority, server) as webhook:
        for client in (
            client_tls(authority),
            client_tls(authority, other.issue("prod", file="forged")),
        ):
            with pytest.raises((ssl.SSLError, ConnectionError)):
                post(webhook, BODY, tls=client)
        until(lambda: webhook.counts.refused == {"tls": 2}, "both counted")
        assert webhook.counts.requests == 0


@pytest.mark.parametrize(
    ("version", "taken"),
    [
        (ssl.TLSVersion.TLSv1_1, False),
        (ssl.TLSVersion.TLSv1_2, True),
        (ssl.TLSVersion.TLSv1_3, True),
    ],
)
def test_tls_begins_at_1_2(
    authority: Authority, server: Pair, version: ssl.TLSVersion, taken: bool
) -> None:
    client = client_tls(authority)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        client.minimum_version = client.maximum_version = version
    client.set_ciphers("ALL:@SECLEVEL=0")  # the client would do it
    tls = listener_tls("127.0.0.1", server.certificate, server.key, None)
    assert tls is not None
    assert tls.minimum_version is ssl.TLSVersion.TLSv1_2  # whatever this OpenSSL's default is
    with RunningWebhook(tls=tls) as webhook:
        if taken:
            assert post(webhook, BODY, tls=client).status == 200
        else:
            with pytest.raises(ssl.SSLError):
                post(webhook, BODY, tls=client)


def test_plain_http_on_a_tls_port_gets_nothing(server: Pair) -> None:
    tls = listener_tls("127.0.0.1", server.certificate, server.key, None)
    with (
        RunningWebhook(tls=tls) as webhook,
        socket.create_connection(("127.0.0.1", webhook.port), timeout=10) as connection,
    ):
        connection.sendall(b"POST /audit/prod HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}")
        assert b"HTTP" not in connection.recv(1000)
        until(lambda: webhook.counts.refused == {"tls": 1}, "refused")


def test_plain_http_is_for_loopback_only(tmp_path: Path) -> None:
    for host in ("127.0.0.1", "127.9.9.9", "::1", "localhost"):
        assert listener_tls(host, None, None, None) is None
    for host in ("0.0.0.0", "::", "10.0.0.1", "collector.example.com", ""):  # noqa: S104
        with pytest.raises(UnsafeListenerError, match="certificate_file"):
            listener_tls(host, None, None, None)
    with pytest.raises(UnsafeListenerError, match="client_ca_file"):
        listener_tls("127.0.0.1", None, None, tmp_path)


def test_files_that_cannot_be_used_are_named(
    authority: Authority, server: Pair, tmp_path: Path
) -> None:
    missing = tmp_path / "missing.pem"
    with pytest.raises(UnsafeListenerError, match=r"missing\.pem"):
        listener_tls("127.0.0.1", missing, server.key, None)
    with pytest.raises(UnsafeListenerError, match=r"server\.crt"):
        listener_tls("127.0.0.1", server.certificate, authority.issue("x", file="x").key, None)
    with pytest.raises(UnsafeListenerError, match=r"missing\.pem"):
        listener_tls("127.0.0.1", server.certificate, server.key, missing)
    missing.write_text("no certificate")
    with pytest.raises(UnsafeListenerError, match=r"missing\.pem"):
        listener_tls("127.0.0.1", server.certificate, server.key, missing)


def certified(authority: Authority, server: Pair) -> RunningWebhook:
    tls = listener_tls("127.0.0.1", server.certificate, server.key, authority.file)
    return RunningWebhook(tls=tls, senders=Senders(None, certificates=True))
