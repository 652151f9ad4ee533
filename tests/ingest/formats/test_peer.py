"""What stands in a peer's place becomes an address, a name or nothing."""

import pytest

from ingest.formats.peer import peer


@pytest.mark.parametrize(
    ("text", "port", "columns"),
    [
        ("192.0.2.1", "22", {"source.ip": "192.0.2.1", "source.port": 22}),
        ("::ffff:192.0.2.1", "", {"source.ip": "192.0.2.1"}),
        ("fe80::1%eth0", "", {"source.ip": "fe80::1"}),
        ("client.example.com", "22", {"source.domain": "client.example.com", "source.port": 22}),
        ("192.0.2.1.example.com", "", {"source.domain": "192.0.2.1.example.com"}),
        ("UNKNOWN", "22", {}),
        ("", "", {}),
        ("x" * 300, "22", {"source.port": 22}),
        ("192.0.2.1", "123456", {"source.ip": "192.0.2.1"}),
        ("192.0.2.1", "\u0662", {"source.ip": "192.0.2.1"}),
    ],
)
def test_only_an_address_is_one(text: str, port: str, columns: dict[str, object]) -> None:
    assert peer(text, port) == columns
