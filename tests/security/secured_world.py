"""A secured broker and a secured Elasticsearch, one user for each command, settings as people do.

Every command gets exactly the rights of its row in docs/permissions.md, a password of its own in a
file, and nothing else.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from confluent_kafka.admin import (  # type: ignore[attr-defined]  # its names lack `__all__`
    AclBinding,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from tests.authority import Authority
from tests.permissions_table import Right, elasticsearch_privileges, kafka_rights
from tests.secure_kafka import SecureKafka
from tests.tls_front import Account, TlsFront
from worker.services.ports import free_port

DEADLINE_S = 90.0
OPERATIONS = {"DescribeConfigs": "DESCRIBE_CONFIGS", "AlterConfigs": "ALTER_CONFIGS"}
PAGES = ("metrics", "healthz", "readyz")


@dataclass(slots=True)
class Outputs:
    """All that any command said, anywhere: what must hold no secret."""

    texts: dict[str, str] = field(default_factory=dict)

    def keep(self, name: str, text: str) -> str:
        self.texts[f"{len(self.texts)} {name}"] = text
        return text


@dataclass(slots=True)
class World:
    """One set of topics, indices and users on the secured servers."""

    folder: Path
    kafka: SecureKafka
    authority: Authority
    front: TlsFront
    accounts: dict[str, Account]
    prefix: str
    outputs: Outputs = field(default_factory=Outputs)
    secrets: set[str] = field(default_factory=set)

    def secret_file(self, name: str, secret: str) -> Path:
        """Write a secret that only its owner reads, and remember it for the search."""
        file = self.folder / name
        file.touch(mode=0o600)
        file.write_text(secret + "\n")
        self.secrets.add(secret)
        return file

    def add_user(self, user: str, rights: Iterable[Right]) -> Path:
        """Make a user of the broker with these rights; return the file of its password."""
        password = secrets.token_urlsafe(24)
        strength = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
        admin, name = self.kafka.admin, f"{self.prefix}{user}"
        wanted = UserScramCredentialUpsertion(name, strength, password.encode())
        for made in admin.alter_user_scram_credentials([wanted]).values():
            made.result(30)
        bindings = [self._binding(name, right) for right in rights]
        for made in admin.create_acls(bindings).values() if bindings else ():
            made.result(30)
        return self.secret_file(f"{user}.password", password)

    def _binding(self, user: str, right: Right) -> AclBinding:
        # Readers without a group give a name of the program's, not of the settings.
        fixed = right.name == "trailwarden-reader"
        return AclBinding(
            ResourceType[right.resource],
            right.name if fixed else f"{self.prefix}{right.name}",
            ResourcePatternType[right.pattern],
            f"User:{user}",
            "*",
            AclOperation[OPERATIONS.get(right.operation, right.operation.upper())],
            AclPermissionType.ALLOW,
        )

    def settings(self, user: str, password_file: Path, **changed: dict[str, Any]) -> Path:
        """Write the settings of a command that runs as ``user``."""
        groups: dict[str, dict[str, Any]] = {
            "kafka": {
                "bootstrap_servers": self.kafka.broker.bootstrap,
                "security_protocol": "SASL_SSL",
                "username": f"{self.prefix}{user}",
                "password_file": str(password_file),
                "ca_file": str(self.kafka.authority.ca_file),
                "raw_topic": f"{self.prefix}raw",
                "quarantine_topic": f"{self.prefix}quarantine",
                "signals_topic": f"{self.prefix}signals",
                "group": f"{self.prefix}trailwarden",
                "session_timeout_s": 6,
            },
            "elasticsearch": {
                "url": self.front.url,
                "prefix": self.prefix,
                "replicas": 0,
                "request_timeout_s": 10,
            },
            "store": {"folder": str(self.folder / "store")},
            "checkpoint": {"interval_s": 1, "snapshot_interval_s": 2},
            "telemetry": {"port": free_port()},
            "collect": {"spool": str(self.folder / "spool"), "canary_interval_s": 1},
        }
        for group, values in changed.items():
            groups.setdefault(group, {}).update(values)
        file = self.folder / f"{user}-{uuid.uuid4().hex[:6]}.yml"
        file.write_text(json.dumps(groups))  # JSON is YAML
        return file

    def command(self, *arguments: str, **environment: str) -> tuple[int, str]:
        """Run a command to its end; return its exit code and all that it said."""
        done = subprocess.run(
            [sys.executable, "-m", "trailwarden", *arguments],
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
            env={**os.environ, **environment},
        )
        said = self.outputs.keep(" ".join(arguments[:2]), done.stdout + done.stderr)
        return done.returncode, said

    def start(self, *arguments: str, config: Path) -> Running:
        """Start a command that goes on until it is told to stop."""
        return Running(self, list(arguments), config)


class Running:
    """A long-running command and its log."""

    def __init__(self, world: World, arguments: list[str], config: Path) -> None:
        self._world, self._name = world, " ".join(arguments)
        self._port = json.loads(config.read_text())["telemetry"]["port"]
        self._log = config.with_suffix(f".{'-'.join(arguments)}.log")
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "trailwarden", *arguments, "--config", str(config)],
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    @property
    def log(self) -> str:
        return self._log.read_text()

    def page(self, name: str) -> tuple[int, str]:
        """Return a page of it, and keep it for the search; 0 if nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/{name}", timeout=5) as page:
                return page.status, self._world.outputs.keep(name, page.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, self._world.outputs.keep(name, error.read().decode())
        except OSError:
            return 0, ""

    def wait_ready(self) -> None:
        until(lambda: self._process.poll() is not None or self.page("readyz")[0] == 200, self._tell)
        assert self._process.poll() is None, self.log

    def wait_end(self) -> tuple[int, str]:
        """Wait until it ends by itself; return its exit code and its log's last line."""
        try:
            code = self._process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self._name} goes on:\n{self.log}") from None
        said = self._world.outputs.keep(self._name, self.log)
        return code, said.strip().splitlines()[-1]

    def stop(self) -> int:
        for name in PAGES:
            self.page(name)
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(DEADLINE_S)
        self._world.outputs.keep(self._name, self.log)
        return code

    def kill(self) -> None:
        """Leave nothing behind, whatever a test found."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait(DEADLINE_S)

    def _tell(self) -> str:
        return f"{self._name}:\n{self.log}"


def until(condition: Callable[[], object], tell: Callable[[], str] = lambda: "") -> None:
    """Look again and again until it is so."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, tell()
        time.sleep(0.1)


def rights_of(role: str) -> list[Right]:
    return [right for right in kafka_rights() if right.role == role]


def elasticsearch_account(role: str, name: str, prefix: str) -> Account:
    """Return an account with a password and an API key, and the role's privileges."""
    held = {
        scope: frozenset(
            one.name for one in elasticsearch_privileges() if (one.role, one.scope) == (role, scope)
        )
        for scope in ("cluster", "index")
    }
    password, key = secrets.token_urlsafe(24), f"{name}:{secrets.token_urlsafe(24)}"
    return Account(f"{prefix}{name}", password, key, held["cluster"], held["index"], f"{prefix}-")
