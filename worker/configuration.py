"""The settings of the service and the collectors: one file, the environment, typed and frozen.

Separate from `worker.settings` (what one scan is told) because collectors read it as well and must
not load Polars for it. Every setting has a default that works, a unit in its name and a row in
docs/settings.md, which is generated from here. Secrets are read from files or the environment and
print as ``***``.
"""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import (
    Field,
    SecretStr,
    ValidationError,
)
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from detectors.sigma.errors import RefusedError
from detectors.sigma.strict_yaml import parse, plain
from worker.detection_settings import Anomaly, Models, Rules, Site
from worker.setting import Group, setting

ENVIRONMENT_PREFIX: Final = "TRAILWARDEN_"

Port = Annotated[int, Field(ge=0, le=65_535)]
Share = Annotated[float, Field(ge=0, le=1)]
Severity = Literal["informational", "low", "medium", "high", "critical"]


class InvalidSettingsError(Exception):
    """Settings that cannot be used; the message names each setting, its value's fault and place."""


class Kafka(Group):
    """The broker, and how to prove who we are."""

    bootstrap_servers: str = setting("127.0.0.1:9092", "brokers to begin with, HOST:PORT,...")
    raw_topic: str = setting("raw", "topic of all records, keyed by cluster")
    quarantine_topic: str = setting("quarantine", "topic of refused records, redacted")
    signals_topic: str = setting("signals", "topic of correlations across clusters")
    raw_retention_hours: int = setting(72, "time that the topic of records keeps them", ge=1)
    quarantine_retention_days: int = setting(30, "days that refused records are kept", ge=1)
    inbox_prefix: str = setting("inbox.", "topics that foreign shippers write to begin so")
    group: str = setting("trailwarden", "consumer group of the workers")
    group_protocol: Literal["classic", "consumer"] = setting(
        "classic", "`consumer` is KIP-848 (Kafka 4.0 and newer)"
    )
    instance_id: str | None = setting(
        None, "static membership: a name that stays with this worker over restarts"
    )
    session_timeout_s: float = setting(
        45.0, "a worker silent for so long loses its partitions (classic protocol)", gt=0
    )
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = setting(
        "PLAINTEXT", "transport; PLAINTEXT only on loopback or a private network"
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = setting(
        "SCRAM-SHA-512", "used with SASL_*"
    )
    username: str | None = setting(None, "SASL user")
    password: SecretStr | None = setting(None, "SASL password; better `password_file`")
    password_file: Path | None = setting(None, "file that holds the SASL password")
    ca_file: Path | None = setting(None, "PEM of the authorities that sign brokers' certificates")
    certificate_file: Path | None = setting(None, "PEM of our certificate (mTLS)")
    key_file: Path | None = setting(None, "PEM of our certificate's key")
    key_password_file: Path | None = setting(None, "file that holds the key's password")


class Elasticsearch(Group):
    """Where findings, and events if wanted, go."""

    url: str | None = setting(None, "https://HOST:9200; none: nothing is sent")
    events: Literal["all", "findings", "none"] = setting(
        "findings",
        "events to send: all, only what findings rest on or may come to rest on, or none",
    )
    prefix: str = setting("trailwarden", "index names begin so")
    replicas: int = setting(1, "copies of each shard; 0 on a single node", ge=0, le=5)
    username: str | None = setting(None, "user of basic authentication")
    password: SecretStr | None = setting(None, "its password; better `password_file`")
    password_file: Path | None = setting(None, "file that holds the password")
    api_key: SecretStr | None = setting(None, "encoded API key; better `api_key_file`")
    api_key_file: Path | None = setting(None, "file that holds the encoded API key")
    ca_file: Path | None = setting(None, "PEM of the authority that signs the certificate")
    ca_fingerprint: str | None = setting(None, "SHA-256 of the authority, hex: pins it")
    request_timeout_s: float = setting(30.0, "an answer later than this counts as none", gt=0)
    bulk_bytes: int = setting(5 << 20, "most bytes of one bulk request", ge=1 << 10)


class Store(Group):
    """Archive segments and snapshots of state: one folder that all workers share."""

    folder: Path = setting(Path("trailwarden-data"), "holds archive/ and state/")
    begin_archive: bool = setting(
        default=False,
        description="begin a new archive although the group has progress that none covers",
    )


class Checkpoint(Group):
    """How often progress is made safe."""

    interval_s: float = setting(60.0, "longest time between checkpoints", gt=0)
    records: int = setting(500_000, "most records between checkpoints", ge=1)
    snapshot_interval_s: float = setting(300.0, "time between snapshots of state", ge=0)
    revoke_deadline_s: float = setting(
        10.0, "time to finish what is complete when partitions are taken away", gt=0
    )


class Worker(Group):
    """One stream worker."""

    batch_records: int = setting(6_000, "most records of one step", ge=1, le=100_000)
    poll_s: float = setting(0.25, "longest wait for a batch to fill", gt=0)
    rules: list[Path] = setting([], "rule files or folders; empty: the shipped rules")
    state_rows: int = setting(
        500_000,
        "bound of what rules over time remember of one cluster, rows of some 130 bytes; beyond, "
        "the oldest go, and are counted",
        ge=10_000,
    )
    trusted_proxies: list[str] = setting([], "networks whose X-Forwarded-For is believed, CIDR")
    redaction_key_file: Path | None = setting(
        None, "key (1 to 64 bytes) of the hashes of secrets; none: a new one at each start"
    )
    quarantine_share: Share = setting(
        0.5, "stop when more than this share of records is refused: a bad deploy, not bad records"
    )
    quarantine_window: int = setting(20_000, "records that the share is counted over", ge=1)
    retention_days: int = setting(30, "days that an index of a day is kept", ge=1, le=3_650)


class Telemetry(Group):
    """Metrics, health and logs of any long-running command."""

    host: str = setting("127.0.0.1", "address of /metrics, /healthz and /readyz")
    port: Port = setting(9464, "its port; 0: any free one")
    log_level: Literal["debug", "info", "warning", "error"] = setting("info", "least level logged")


class Notify(Group):
    """Who is told of findings and alarms, without Elasticsearch."""

    webhook_url: str | None = setting(None, "gets a JSON POST for each finding and alarm")
    webhook_token_file: Path | None = setting(None, "file of a bearer token for the webhook")
    alertmanager_url: str | None = setting(None, "base URL of an Alertmanager (API v2)")
    severity: Severity = setting("high", "least severity of findings that are notified")
    silence_s: float = setting(90.0, "a source without canaries for so long is an alarm", gt=0)


class Collect(Group):
    """What all collectors share."""

    name: str = setting(socket.gethostname(), "name of this collector")
    canary_interval_s: float = setting(30.0, "time between canary records; 0: none", ge=0)
    spool: Path = setting(Path("trailwarden-spool"), "folder for originals over the size limit")


class Webhook(Group):
    """The audit webhook backend's counterpart."""

    host: str = setting("127.0.0.1", "address to listen on")
    port: Port = setting(8443, "port to listen on")
    certificate_file: Path | None = setting(None, "PEM of the server's certificate; none: HTTP")
    key_file: Path | None = setting(None, "PEM of its key")
    client_ca_file: Path | None = setting(
        None, "PEM of the authority of client certificates: they are then required"
    )
    tokens_file: Path | None = setting(
        None, "file of bearer tokens, `CLUSTER TOKEN` a line: a token is then required"
    )
    body_bytes: int = setting(16 << 20, "most bytes of a body, also when unpacked", ge=1 << 10)
    acknowledge_s: float = setting(10.0, "longest wait for Kafka before answering 503", gt=0)
    connections: int = setting(
        256, "open at a time, 0.3 MB each with TLS; beyond it the longest idle one is closed", ge=1
    )


class Falco(Webhook):
    """The counterpart of Falco's http_output and of falcosidekick's webhook."""

    port: Port = setting(8444, "port to listen on")
    acknowledge_s: float = setting(
        30.0,
        "longest wait for Kafka before answering 503; Falco queues meanwhile, but repeats nothing",
        gt=0,
    )


class Tail(Group):
    """Audit log files that are followed."""

    cluster: str | None = setting(None, "cluster that the files come from")
    paths: list[str] = setting([], "files or glob patterns")
    checkpoint_file: Path = setting(Path("trailwarden-tail.json"), "how far each file was sent")
    poll_s: float = setting(0.5, "time between looks at the files", gt=0)


class Inbox(Group):
    """Topics that foreign shippers write, moved to ``raw``."""

    clusters: dict[str, str] = setting(
        {}, "topic: cluster; a topic without an entry is named by what follows the prefix"
    )
    group: str = setting("trailwarden-inbox", "consumer group")
    cluster_from_envelope: list[str] = setting(
        [],
        "topics whose records' cloud envelopes name the cluster: whoever writes there is believed",
    )


class Foreign(Group):
    """Another broker that `collect kafka` reads from, such as a cloud's event hub."""

    bootstrap_servers: str | None = setting(
        None, "its brokers, HOST:PORT,...; none: the inbox is on the broker of `kafka`"
    )
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = setting(
        "SASL_SSL", "transport; PLAINTEXT only on loopback or a private network"
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = setting(
        "PLAIN", "used with SASL_*; Azure Event Hubs takes PLAIN"
    )
    username: str | None = setting(None, "SASL user; Azure Event Hubs: `$ConnectionString`")
    password: SecretStr | None = setting(None, "SASL password; better `password_file`")
    password_file: Path | None = setting(None, "file that holds the SASL password")
    ca_file: Path | None = setting(None, "PEM of the authorities that sign brokers' certificates")
    certificate_file: Path | None = setting(None, "PEM of our certificate (mTLS)")
    key_file: Path | None = setting(None, "PEM of our certificate's key")
    key_password_file: Path | None = setting(None, "file that holds the key's password")


class Objects(Group):
    """Exports of audit logs in an object store or a folder."""

    address: str | None = setting(
        None, "folder to empty: `s3://`, `gs://`, `abfss://`, `file://` or a local path"
    )
    cluster: str | None = setting(
        None, "cluster that the records come from; none: the cloud's envelope names it"
    )
    checkpoint_file: Path = setting(
        Path("trailwarden-objects.json"), "which objects were sent, and how far"
    )
    interval_s: float = setting(60.0, "time between listings", gt=0)


class Settings(BaseSettings):
    """All settings. The environment wins over the file: TRAILWARDEN_KAFKA__GROUP and so on."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix=ENVIRONMENT_PREFIX,
        env_nested_delimiter="__",
    )

    kafka: Kafka = Kafka()
    elasticsearch: Elasticsearch = Elasticsearch()
    store: Store = Store()
    checkpoint: Checkpoint = Checkpoint()
    worker: Worker = Worker()
    telemetry: Telemetry = Telemetry()
    notify: Notify = Notify()
    collect: Collect = Collect()
    webhook: Webhook = Webhook()
    falco: Falco = Falco()
    tail: Tail = Tail()
    objects: Objects = Objects()
    inbox: Inbox = Inbox()
    foreign: Foreign = Foreign()
    site: Site = Site()
    rules: Rules = Rules()
    anomaly: Anomaly = Anomaly()
    models: Models = Models()
    exceptions: list[dict[str, Any]] = setting(
        [], "what rules are not to report at this site, each with owner, reason, end and scope"
    )

    @classmethod
    def settings_customise_sources(cls, *_: Any, **sources: Any) -> tuple[Any, ...]:
        """Take the environment first, then what the file gave."""
        return sources["env_settings"], sources["init_settings"]


def load_settings(file: Path | None) -> Settings:
    """Read ``file`` (YAML as rules are: no aliases, no tags) and the environment.

    Raises
        InvalidSettingsError: the file cannot be read or says something that no setting takes.
    """
    try:
        given = {} if file is None else plain(parse(file.read_bytes()))
    except OSError as error:
        raise InvalidSettingsError(f"{file}: {error.strerror}") from error
    except RefusedError as error:
        raise InvalidSettingsError(f"{file}: {error}") from error
    if not isinstance(given, dict | None):
        raise InvalidSettingsError(f"{file}: must be a mapping of groups of settings")
    try:
        return Settings(**(given or {}))  # type: ignore[arg-type]  # validated right here
    except ValidationError as error:
        raise InvalidSettingsError(_explained(file, error)) from error
    except SettingsError as error:  # of a variable; not chained, for its cause holds the value
        raise InvalidSettingsError(f"environment: {error}: must be JSON") from None


def _explained(file: Path | None, error: ValidationError) -> str:
    """One line a problem; never the value, it may be a secret."""
    lines = [
        f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
        for problem in error.errors(include_input=False, include_url=False)
    ]
    return "\n".join(f"{file or 'environment'}: {line}" for line in lines)


def secret(value: SecretStr | None, file: Path | None) -> str | None:
    """Return a secret from its file, else from the setting itself.

    Raises
        InvalidSettingsError: the file cannot be read.
    """
    if file is None:
        return None if value is None else value.get_secret_value()
    try:
        return file.read_text().strip()
    except OSError as error:
        raise InvalidSettingsError(f"{file}: {error.strerror}") from error
    except UnicodeDecodeError:  # not chained, for it holds the bytes
        raise InvalidSettingsError(f"{file}: is not text") from None
