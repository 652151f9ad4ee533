"""The lock of jars: text goes in, each server's coordinates and hashes come out, and back.

Separate because the file is reviewed like the lock of Python packages: it names every jar that a
server runs, with the SHA-256 of its bytes, and no place to get it from. Write it anew, after a
change of version in `ENDPOINTS`, with

    python -m worker.services.jar_lock
"""

from __future__ import annotations

import hashlib
import sys
import tomllib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from worker.services.errors import ServiceError
from worker.services.java import optional_module

LOCK_FILE: Final = Path(__file__).with_name("jars.lock")
HASH_PREFIX: Final = "sha256:"
_READ_BYTES: Final = 1 << 20


class Server(StrEnum):
    """The servers that can be run here."""

    KAFKA = "kafka"
    ELASTICSEARCH = "elasticsearch"


# What is asked for; everything else in the lock is what these depend on.
ENDPOINTS: Final = {
    Server.KAFKA: (
        "org.apache.kafka:kafka_2.13:4.1.1",
        "org.apache.kafka:kafka-tools:4.1.1",
        # Kafka logs through slf4j; without a binding a broker that cannot start says nothing.
        # The mark keeps its dependency management out: it would choose an older kafka-clients.
        "org.apache.logging.log4j:log4j-slf4j-impl:2.24.3!",
    ),
    Server.ELASTICSEARCH: (
        "org.elasticsearch:elasticsearch:9.5.3",
        "org.elasticsearch.plugin:transport-netty4:9.5.3",
    ),
}


@dataclass(frozen=True, slots=True, order=True)
class Jar:
    """One locked jar: Maven coordinates and the SHA-256 of its bytes, hex."""

    group: str
    artifact: str
    version: str
    classifier: str
    sha256: str

    @property
    def coordinates(self) -> str:
        """Return ``group:artifact:version[:classifier]``."""
        parts = [self.group, self.artifact, self.version, self.classifier]
        return ":".join(part for part in parts if part)

    @property
    def path(self) -> Path:
        """Return where a Maven repository keeps it, relative to its root."""
        stem = "-".join(part for part in (self.artifact, self.version, self.classifier) if part)
        folder = Path(*self.group.split("."), self.artifact, self.version)
        return folder / f"{stem}.jar"


def sha256_of(file: Path) -> str:
    """Return the SHA-256 of a file's bytes, hex."""
    digest = hashlib.sha256()
    with file.open("rb") as opened:
        while chunk := opened.read(_READ_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def parse_lock(text: str, name: str = LOCK_FILE.name) -> dict[Server, tuple[Jar, ...]]:
    """Read a lock: a line ``[server]``, then ``coordinates sha256:HASH`` lines.

    Raises
        ServiceError: a line is none of these, a jar is listed twice, or a server is missing.
    """
    found: dict[Server, list[Jar]] = {}
    jars: list[Jar] | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        if not line or line.startswith("#"):
            continue
        try:
            if line.startswith("["):
                jars = found.setdefault(Server(line.strip("[]")), [])
            else:
                jars = _with(jars, _jar(line))
        except ValueError as error:
            raise ServiceError(f"{name}:{number}: {error}: {line!r}") from error
    if missing := [server for server in Server if not found.get(server)]:
        raise ServiceError(f"{name}: lists no jars of {', '.join(missing)}")
    return {server: tuple(listed) for server, listed in found.items()}


def _with(jars: list[Jar] | None, jar: Jar) -> list[Jar]:
    if jars is None:
        raise ValueError("a jar before the first [server]")
    if any(jar.path == known.path for known in jars):
        raise ValueError("listed twice")
    jars.append(jar)
    return jars


def _jar(line: str) -> Jar:
    coordinates, _, digest = line.partition(" ")
    parts = coordinates.split(":")
    if len(parts) not in {3, 4} or not all(parts) or ".." in coordinates or "/" in coordinates:
        raise ValueError("not group:artifact:version[:classifier] sha256:HASH")
    sha256 = digest.removeprefix(HASH_PREFIX)
    if sha256 == digest or len(sha256) != hashlib.sha256().digest_size * 2:
        raise ValueError("not a sha256: followed by 64 hex digits")
    bytes.fromhex(sha256)
    group, artifact, version, *classifier = parts
    return Jar(group, artifact, version, "".join(classifier), sha256.lower())


def locked_jars(server: Server, file: Path = LOCK_FILE) -> tuple[Jar, ...]:
    """Return every jar that ``server`` may use."""
    return parse_lock(file.read_text(), file.name)[server]


def format_lock(jars: dict[Server, tuple[Jar, ...]]) -> str:
    """Return the text that `parse_lock` reads."""
    lines = ["# Every jar of the local servers. Written by: python -m worker.services.jar_lock"]
    for server in Server:
        lines += ["", f"[{server}]"]
        lines += [f"{jar.coordinates} {HASH_PREFIX}{jar.sha256}" for jar in sorted(jars[server])]
    return "\n".join(lines) + "\n"


def resolve_anew(server: Server) -> tuple[Jar, ...]:
    """Resolve what a server depends on, over the network, and hash what came.

    The resolver's own environment is read, not its flat list: only there are the versions chosen
    as the servers' own dependency management says.
    """
    jgo = optional_module("jgo")
    with TemporaryDirectory() as cache:
        built = jgo.build("+".join(ENDPOINTS[server]), cache_dir=Path(cache))
        listed = tomllib.loads((built.path / "jgo.lock.toml").read_text())["dependencies"]
    return tuple(
        Jar(d["groupId"], d["artifactId"], d["version"], d.get("classifier", ""), d["sha256"])
        for d in listed
        if d["packaging"] == "jar"
    )


def main() -> None:
    """Write the lock anew; compare it with the one before by ``git diff``."""
    LOCK_FILE.write_text(format_lock({server: resolve_anew(server) for server in Server}))
    sys.stdout.write(f"wrote {LOCK_FILE}\n")


if __name__ == "__main__":
    main()
