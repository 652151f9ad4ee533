"""Password files in, Kafka's users, their rights and the shippers' topics out.

Runs once at each start, as the super user that a certificate proves, so no password travels on a
command line. Everything is set to what this file says: a new password file takes effect at the
next run. Topics of our own are made by `trailwarden setup`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewTopic,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

SECRETS = Path("/run/secrets")
SHIPPERS = Path("/run/shippers")
BROKER = "kafka:9094"
TIMEOUT_S = 60.0
ITERATIONS = 8192
DAY_MS = 24 * 3600 * 1000

INBOX_CONFIG = {
    # A record of 8 MiB and its headers, as in kafka/server.properties.
    "max.message.bytes": str((8 << 20) + (64 << 10)),
    # As `raw`: it holds the same secrets, and whole closed segments only are deleted.
    "retention.ms": str(3 * DAY_MS),
    "segment.ms": str(DAY_MS // 4),
    "unclean.leader.election.enable": "false",
}
"""What a shipper's topic is like."""

RAW, QUARANTINE, SIGNALS, INBOX = "raw", "quarantine", "signals", "inbox."
WORKERS, MOVERS, READERS = "trailwarden", "trailwarden-inbox", "trailwarden-reader"
CORRELATORS = "trailwarden-correlate"

LITERAL, PREFIXED = ResourcePatternType.LITERAL, ResourcePatternType.PREFIXED
TOPIC, GROUP = ResourceType.TOPIC, ResourceType.GROUP
READ, WRITE, DESCRIBE = AclOperation.READ, AclOperation.WRITE, AclOperation.DESCRIBE
CONFIGS = AclOperation.DESCRIBE_CONFIGS

RIGHTS = (
    # Reads records, appends the alarm of a silent source, keeps refused records.
    ("worker", TOPIC, RAW, LITERAL, (READ, WRITE, CONFIGS)),
    ("worker", TOPIC, QUARANTINE, LITERAL, (READ, WRITE, CONFIGS)),
    ("worker", GROUP, WORKERS, LITERAL, (READ,)),
    # Writes what correlations across clusters need, and with the role correlate reads it.
    ("worker", TOPIC, SIGNALS, LITERAL, (READ, WRITE, CONFIGS)),
    ("worker", GROUP, CORRELATORS, LITERAL, (READ,)),
    # What doctor, ledger and quarantine look at, which run as this user.
    ("worker", GROUP, READERS, LITERAL, (READ,)),
    # Collectors see whether somebody reads what they write (trailwarden_workers_members).
    ("webhook", TOPIC, RAW, LITERAL, (WRITE,)),
    ("webhook", GROUP, WORKERS, LITERAL, (DESCRIBE,)),
    ("inbox", TOPIC, RAW, LITERAL, (WRITE,)),
    ("inbox", TOPIC, INBOX, PREFIXED, (READ,)),
    ("inbox", GROUP, MOVERS, LITERAL, (READ,)),
    ("inbox", GROUP, WORKERS, LITERAL, (DESCRIBE,)),
)


def client() -> AdminClient:
    """Return an admin client that proves itself by certificate."""
    return AdminClient(
        {
            "bootstrap.servers": BROKER,
            "security.protocol": "SSL",
            "ssl.ca.location": str(SECRETS / "ca.crt"),
            "ssl.certificate.location": str(SECRETS / "setup.crt"),
            "ssl.key.location": str(SECRETS / "setup.key"),
        }
    )


def passwords(clusters: Iterable[str]) -> dict[str, str]:
    """Return the password of each user."""
    ours = {user: f"kafka_{user}_password" for user in ("worker", "webhook", "inbox")}
    found = {user: (SECRETS / name).read_text() for user, name in ours.items()}
    return found | {shipper(name): (SHIPPERS / name).read_text() for name in clusters}


def shipper(cluster: str) -> str:
    """Return the user that may write one cluster's inbox."""
    return f"shipper-{cluster}"


def rights(clusters: Iterable[str]) -> list[AclBinding]:
    """Return every right there is; what is not listed is refused."""
    own = [(shipper(name), TOPIC, INBOX + name, LITERAL, (WRITE,)) for name in clusters]
    return [
        AclBinding(kind, name, pattern, f"User:{user}", "*", operation, AclPermissionType.ALLOW)
        for user, kind, name, pattern, operations in (*RIGHTS, *own)
        for operation in operations
    ]


def set_passwords(admin: AdminClient, users: dict[str, str]) -> None:
    """Make each user, or give it the password again."""
    strength = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, ITERATIONS)
    wanted = [
        UserScramCredentialUpsertion(user, strength, password.encode())
        for user, password in users.items()
    ]
    for done in admin.alter_user_scram_credentials(wanted, request_timeout=TIMEOUT_S).values():
        done.result()


def create_inboxes(admin: AdminClient, clusters: list[str]) -> None:
    """Make the topic of each shipper; one that exists is left."""
    topics = [NewTopic(INBOX + name, 1, 1, config=INBOX_CONFIG) for name in clusters]
    if not topics:
        return
    for done in admin.create_topics(topics, request_timeout=TIMEOUT_S).values():
        try:
            done.result()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise


def main() -> None:
    """Set everything; the exit code says whether it worked."""
    clusters = sorted(path.name for path in SHIPPERS.iterdir()) if SHIPPERS.is_dir() else []
    admin, users = client(), passwords(clusters)
    try:
        set_passwords(admin, users)
        for done in admin.create_acls(rights(clusters), request_timeout=TIMEOUT_S).values():
            done.result()
        create_inboxes(admin, clusters)
    except KafkaException as error:
        sys.exit(f"kafka access: {error.args[0]}")
    print(f"kafka access: {len(users)} users: {', '.join(users)}")


if __name__ == "__main__":
    main()
