"""A client trusts one authority only, says who we are, and lets no secret out."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sinks.elasticsearch.answers import NoAnswer
from sinks.elasticsearch.bulk import BulkWriter
from sinks.elasticsearch.connection import Client, Credentials, connect
from sinks.elasticsearch.documents import Document
from sinks.elasticsearch.setup import apply
from sinks.elasticsearch.setup_check import checker
from sinks.elasticsearch.templates import SetupOptions
from sinks.elasticsearch.transport import NotAllowedError, ask, require
from tests.authority import Authority, Issued
from tests.tls_front import Account, TlsFront

SECRET = "correct-horse-battery"
HEALTH = "/_cluster/health"
LOOPBACK = ip_address("127.0.0.1")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


@pytest.fixture
def accounts() -> list[Account]:
    return [
        Account("worker", SECRET),
        Account("key", api_key=f"id:{SECRET}"),
        Account("reader", SECRET, cluster=frozenset({"monitor"}), index=frozenset({"read"})),
    ]


@pytest.fixture
def front(authority: Authority, accounts: list[Account], elasticsearch_url: str) -> Any:
    with TlsFront(elasticsearch_url, authority.issue("node"), accounts) as front:
        yield front


def worker(url: str, **options: Any) -> Client:
    return connect(url, Credentials("worker", SECRET), timeout_s=10, **options)


def forged(authority: Authority, folder: Path) -> Issued:
    """Return a chain that anybody can make: a leaf of one's own, then the public certificate.

    elastic-transport 9.4.2 takes it under ``ssl_assert_fingerprint``.
    """
    genuine = x509.load_pem_x509_certificate(authority.ca_file.read_bytes())
    key = ec.generate_private_key(ec.SECP256R1())
    leaf = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "node")]))
        .issuer_name(genuine.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(genuine.not_valid_before_utc)
        .not_valid_after(genuine.not_valid_after_utc)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(LOOPBACK)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    issued = Issued(folder / "forged.crt", folder / "forged.key")
    pem = serialization.Encoding.PEM
    issued.certificate_file.write_bytes(leaf.public_bytes(pem) + genuine.public_bytes(pem))
    form = serialization.PrivateFormat.PKCS8
    issued.key_file.write_bytes(key.private_bytes(pem, form, serialization.NoEncryption()))
    return issued


@pytest.mark.integration
@pytest.mark.parametrize(
    "options",
    [
        lambda authority: {"ca_file": authority.ca_file},
        lambda authority: {"ca_fingerprint": authority.fingerprint},
        lambda authority: {"ca_fingerprint": _with_colons(authority.fingerprint)},
    ],
    ids=["file", "fingerprint", "fingerprint with colons"],
)
def test_the_authority_that_is_named_is_trusted(
    front: TlsFront, authority: Authority, options: Callable[[Authority], dict[str, Any]]
) -> None:
    client = worker(front.url, **options(authority))
    for _ in range(2):
        assert ask(client, "GET", HEALTH).status == 200
    client.close()


def _with_colons(digits: str) -> str:
    return ":".join(digits[i : i + 2] for i in range(0, len(digits), 2)).upper()


@pytest.mark.integration
@pytest.mark.parametrize("by", ["file", "fingerprint", "nothing"])
def test_another_authority_is_not_trusted_and_nothing_is_said_to_it(
    front: TlsFront, tmp_path: Path, by: str
) -> None:
    other = Authority(tmp_path / "other")
    options: dict[str, dict[str, Any]] = {
        "file": {"ca_file": other.ca_file},
        "fingerprint": {"ca_fingerprint": other.fingerprint},
        "nothing": {},
    }
    client = worker(front.url, **options[by])
    reply = ask(client, "GET", HEALTH)
    assert reply.status is NoAnswer.TLS
    assert "TlsError" in reply.reason
    assert SECRET not in repr(reply)
    assert front.seen.requests == []
    client.close()


@pytest.mark.integration
@pytest.mark.parametrize("by", ["file", "fingerprint"])
def test_the_public_certificate_behind_a_forged_one_is_no_proof(
    authority: Authority, accounts: list[Account], tmp_path: Path, elasticsearch_url: str, by: str
) -> None:
    issued = forged(authority, tmp_path)
    options: dict[str, Any] = {"ca_file": authority.ca_file}
    if by == "fingerprint":
        options = {"ca_fingerprint": authority.fingerprint}
    with TlsFront(elasticsearch_url, issued, accounts) as front:
        client = worker(front.url, **options)
        assert ask(client, "GET", HEALTH).status is NoAnswer.TLS
        assert front.seen.requests == []
        client.close()


@pytest.mark.integration
@pytest.mark.parametrize("by", ["file", "fingerprint"])
def test_a_certificate_for_another_host_is_refused(
    authority: Authority, accounts: list[Account], elasticsearch_url: str, by: str
) -> None:
    issued = authority.issue("elsewhere", hosts=("elsewhere.example",))
    options: dict[str, Any] = {"ca_file": authority.ca_file}
    if by == "fingerprint":
        options = {"ca_fingerprint": authority.fingerprint}
    with TlsFront(elasticsearch_url, issued, accounts) as front:
        for url in (front.url, front.url.replace("127.0.0.1", "localhost")):
            client = worker(url, **options)
            assert ask(client, "GET", HEALTH).status is NoAnswer.TLS
            client.close()
        assert front.seen.requests == []


@pytest.mark.integration
def test_only_the_named_authority_is_in_the_context(front: TlsFront, authority: Authority) -> None:
    """The library would add the public authorities to it with each connection."""
    client = worker(front.url, ca_file=authority.ca_file)
    assert ask(client, "GET", HEALTH).status == 200
    node: Any = next(iter(client.transport.node_pool.all()))
    context: ssl.SSLContext = node._node.config.ssl_context
    assert len(context.get_ca_certs()) == 1
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    client.close()


@pytest.mark.integration
@pytest.mark.parametrize(
    "credentials",
    [Credentials(), Credentials("worker", "wrong"), Credentials("who", SECRET),
     Credentials(api_key="bm86bm8=")],
    ids=["none", "wrong password", "unknown user", "wrong key"],
)  # fmt: skip
def test_who_is_not_known_is_told_so(
    front: TlsFront, authority: Authority, credentials: Credentials
) -> None:
    client = connect(front.url, credentials, ca_file=authority.ca_file)
    bulk = BulkWriter(client, 1 << 20)
    bulk.add(Document("tw-events-outofrange", "a", b"{}"))
    with pytest.raises(NotAllowedError, match="security_exception") as raised:
        bulk.flush()
    assert bulk.pending == 1
    assert SECRET not in str(raised.value)
    with pytest.raises(NotAllowedError, match="look for templates"):
        checker(client, "tw")()
    with pytest.raises(NotAllowedError):
        require(client, "GET", HEALTH)
    client.close()


@pytest.mark.integration
def test_who_may_not_write_is_told_so(front: TlsFront, authority: Authority) -> None:
    client = connect(front.url, Credentials("reader", SECRET), ca_file=authority.ca_file)
    bulk = BulkWriter(client, 1 << 20)
    bulk.add(Document("tw-events-outofrange", "a", b"{}"))
    with pytest.raises(NotAllowedError, match="unauthorized"):
        bulk.flush()
    client.close()


@pytest.mark.integration
@pytest.mark.parametrize("way", ["user", "key"])
def test_who_is_known_may_write(
    front: TlsFront, authority: Authority, accounts: list[Account], prefix: str, way: str
) -> None:
    credentials = {
        "user": Credentials("worker", SECRET),
        "key": Credentials(api_key=accounts[1].encoded_api_key),
    }[way]
    client = connect(front.url, credentials, ca_fingerprint=authority.fingerprint)
    apply(client, SetupOptions(prefix, replicas=0))
    bulk = BulkWriter(client, 1 << 20, check=checker(client, prefix))
    bulk.add(Document(f"{prefix}-events-outofrange", "a", b"{}"))
    assert bulk.flush() is None
    assert bulk.counts.created == 1
    client.close()


def test_a_client_is_made_while_the_server_is_away() -> None:
    client = worker("https://127.0.0.1:1", ca_fingerprint="ab" * 32)
    reply = ask(client, "GET", HEALTH)
    assert reply.status is NoAnswer.CONNECTION
    assert "refused" in reply.reason
    client.close()


def test_credentials_print_no_secret() -> None:
    credentials = Credentials("worker", SECRET, None)
    assert SECRET not in repr(credentials)
    assert SECRET not in repr(replace(credentials, password=None, username=None, api_key=SECRET))
    client = connect("http://127.0.0.1:1", credentials)
    reply = ask(client, "GET", HEALTH)
    assert SECRET not in repr(client) + repr(reply) + repr(list(client.transport.node_pool.all()))
    client.close()


@pytest.mark.parametrize(
    ("url", "options"),
    [
        (f"https://worker:{SECRET}@es:9200", {}),
        ("es:9200", {}),
        ("ftp://es:9200", {}),
        ("https://", {}),
        ("https://es", {"ca_fingerprint": "ab"}),
        ("https://es", {"ca_fingerprint": "zz" * 32}),
        ("https://es", {"ca_fingerprint": "ab" * 32, "ca_file": Path("ca.pem")}),
        ("https://es", {"credentials": Credentials("u", "p", SECRET)}),
    ],
)
def test_what_cannot_be_used_is_refused_without_its_secrets(
    url: str, options: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match="Elasticsearch") as raised:
        connect(url, **options)
    assert SECRET not in str(raised.value)


def test_a_file_that_is_no_certificate_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    for name in ("ca.pem", "missing.pem"):
        with pytest.raises(OSError):  # noqa: PT011 - an SSLError has no text of ours
            worker("https://127.0.0.1:1", ca_file=tmp_path / name)


@pytest.mark.parametrize(
    ("url", "shown"),
    [("https://es", "https://es:443"), ("http://es/prefix", "http://es:80/prefix"),
     ("http://[::1]", "http://[::1]:80"), ("http://es:9200", "http://es:9200")],
)  # fmt: skip
def test_an_address_without_a_port_has_that_of_its_scheme(url: str, shown: str) -> None:
    client = connect(url)
    assert f"'{shown}'" in repr(client)
    client.close()
