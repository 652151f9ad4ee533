from __future__ import annotations

import ssl
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.hazmat.primitives.serialization import load_pem_private_key as load_key
from cryptography.x509.verification import PolicyBuilder, Store

from ingest.collectors.webhook_auth import is_cluster_name, read_tokens
from tests.compose.stack import COMPOSE, script

SERVERS = ("kafka", "elasticsearch", "kibana", "grafana", "webhook")


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(COMPOSE / "generate.py"), "--out", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def everything(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("name", SERVERS)
@pytest.mark.parametrize("host", ["self", "localhost", "logs.example.org"])
def test_a_server_is_who_its_clients_ask_for(credentials: Path, name: str, host: str) -> None:
    store = Store([certificate(credentials / "ca.crt")])
    verifier = (
        PolicyBuilder()
        .store(store)
        .build_server_verifier(x509.DNSName(name if host == "self" else host))
    )
    assert verifier.verify(certificate(credentials / f"{name}.crt"), [])


def test_setup_is_a_client_and_no_server(credentials: Path) -> None:
    store = Store([certificate(credentials / "ca.crt")])
    setup = certificate(credentials / "setup.crt")
    assert PolicyBuilder().store(store).build_client_verifier().verify(setup, [])
    with pytest.raises(x509.verification.VerificationError):
        PolicyBuilder().store(store).build_server_verifier(x509.DNSName("setup")).verify(setup, [])


@pytest.mark.parametrize("name", ["ca", "setup", *SERVERS])
def test_each_key_belongs_to_its_certificate(credentials: Path, name: str) -> None:
    key = load_key((credentials / f"{name}.key").read_bytes(), password=None)
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    ours = certificate(credentials / f"{name}.crt").public_key().public_bytes(*form)
    assert key.public_key().public_bytes(*form) == ours


@pytest.mark.parametrize("name", ["setup", *SERVERS])
def test_a_certificate_lasts_two_years_and_signs_nothing(credentials: Path, name: str) -> None:
    found = certificate(credentials / f"{name}.crt")
    assert timedelta(days=800) < found.not_valid_after_utc - datetime.now(UTC)
    assert not found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_python_takes_them_under_its_strictest_rules(credentials: Path) -> None:
    context = ssl.create_default_context(cafile=credentials / "ca.crt")
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(credentials / "webhook.crt", credentials / "webhook.key")
    ours, theirs, back, forth = ssl.MemoryBIO(), ssl.MemoryBIO(), ssl.MemoryBIO(), ssl.MemoryBIO()
    del ours, theirs
    client = context.wrap_bio(back, forth, server_hostname="logs.example.org")
    other = server.wrap_bio(forth, back, server_side=True)
    for _ in range(4):
        for side in (client, other):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    assert client.version() == "TLSv1.3"


def test_nobody_else_on_the_machine_gets_to_them(credentials: Path) -> None:
    assert stat.S_IMODE(credentials.stat().st_mode) == 0o700
    assert stat.S_IMODE((credentials / "ca.key").stat().st_mode) == 0o600


def test_containers_of_any_user_can_read_what_is_mounted(credentials: Path) -> None:
    files = [p for p in credentials.rglob("*") if p.is_file() and p.name != "ca.key"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o444}
    assert stat.S_IMODE((credentials / "shippers").stat().st_mode) == 0o755


def test_no_two_secrets_are_alike(credentials: Path) -> None:
    files = [p for p in everything(credentials) if p.endswith("password") or "shippers/" in p]
    values = [(credentials / name).read_text() for name in files]
    assert len(values) == 11
    assert len(set(values)) == len(values)
    assert min(len(value) for value in values) >= 43


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    assert run(tmp_path / "s", "--cluster", "a").returncode == 0
    before = everything(tmp_path / "s")
    again = run(tmp_path / "s", "--cluster", "a")
    assert "nothing to do" in again.stdout
    assert everything(tmp_path / "s") == before


def test_a_cluster_that_is_added_leaves_the_others(tmp_path: Path) -> None:
    run(tmp_path / "s", "--cluster", "a")
    before = everything(tmp_path / "s")
    run(tmp_path / "s", "--cluster", "b")
    after = everything(tmp_path / "s")
    assert set(after) - set(before) == {"clusters/b.kubeconfig", "shippers/b"}
    assert after["webhook_tokens"].startswith(before.pop("webhook_tokens"))
    assert before.items() <= after.items()


def test_a_server_is_renewed_by_deleting_its_files(tmp_path: Path) -> None:
    run(tmp_path / "s", "--cluster", "a")
    before = everything(tmp_path / "s")
    for name in ("webhook.crt", "webhook.key"):
        (tmp_path / "s" / name).unlink()
    assert run(tmp_path / "s", "--host", "new.example.org").returncode == 0
    after = everything(tmp_path / "s")
    assert {name for name in after if after[name] != before[name]} == {"webhook.crt", "webhook.key"}


def test_without_a_cluster_nothing_is_made(tmp_path: Path) -> None:
    refused = run(tmp_path / "s")
    assert refused.returncode == 2
    assert "--cluster" in refused.stderr
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize(
    "name", ["a", "prod-eu", "a.b_c", "A9", "", "a..b", "-a", "a-", "a b", "a/b", "ä", "x" * 201]
)
def test_names_are_those_that_the_webhook_takes(tmp_path: Path, name: str) -> None:
    taken = run(tmp_path / "s", f"--cluster={name}").returncode == 0
    assert taken == (is_cluster_name(name) and len(name) <= 200)


def test_the_webhook_takes_the_tokens_file(credentials: Path) -> None:
    assert sorted(read_tokens(credentials / "webhook_tokens").values()) == ["prod-eu", "staging"]


def test_a_kubeconfig_carries_its_cluster_s_token_and_our_authority(credentials: Path) -> None:
    made = yaml.safe_load((credentials / "clusters" / "prod-eu.kubeconfig").read_text())
    token = made["users"][0]["user"]["token"]
    assert f"prod-eu {token}\n" in (credentials / "webhook_tokens").read_text()
    cluster = made["clusters"][0]["cluster"]
    assert cluster["server"] == "https://logs.example.org:8443/audit"
    assert made["current-context"] == made["contexts"][0]["name"]


def test_kafka_takes_the_cluster_id() -> None:
    generate = script("generate.py")
    ids = {generate._cluster_id() for _ in range(200)}
    assert len(ids) == 200
    assert all(len(text) == 22 and not text.startswith("-") for text in ids)


def test_kafka_s_keystore_is_key_and_certificate(credentials: Path) -> None:
    made = (credentials / "kafka.pem").read_text()
    assert made == (credentials / "kafka.key").read_text() + (credentials / "kafka.crt").read_text()
    assert made.startswith("-----BEGIN PRIVATE KEY-----")


def test_kibana_has_three_keys_and_the_password_that_is_set(credentials: Path) -> None:
    made = yaml.safe_load((credentials / "kibana_secrets.yml").read_text())
    assert (
        made.pop("elasticsearch.password") == (credentials / "kibana_system_password").read_text()
    )
    assert len(set(made.values())) == 3
    assert all(len(value) >= 32 for value in made.values())
