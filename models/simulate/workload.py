"""A workload and its pods: what runs where, under which identity, since which revision.

Separate because rollouts change it, agents call from it and attacks aim at it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from models.simulate.identities import Account
    from models.simulate.labels import Label
    from models.simulate.node import Node
    from models.simulate.record import Caller
    from models.simulate.workload_bodies import WorkloadBodies


class Kind(StrEnum):
    """Kinds of workloads."""

    DEPLOYMENT = "Deployment"
    DAEMON_SET = "DaemonSet"
    CRON_JOB = "CronJob"


@dataclass(frozen=True, slots=True)
class Traits:
    """What a workload's pods may do to their host, and what they are given."""

    privileged: bool = False
    host_network: bool = False
    host_pid: bool = False
    host_paths: tuple[str, ...] = ()
    secret: str | None = None
    """A secret in the environment."""
    command: tuple[str, ...] = ()
    gpus: int = 0
    cpu_millis: int = 100


@dataclass(slots=True)
class Pod:
    """A pod that runs."""

    name: str
    uid: bytes
    node: Node
    address: str
    created_us: int
    credential: bytes = b""
    caller: Caller | None = None


@dataclass(slots=True, eq=False)
class Workload:
    """A workload of a cluster."""

    kind: Kind
    namespace: str
    name: str
    uid: bytes
    account: Account
    image: str
    replicas: int
    traits: Traits = field(default_factory=Traits)
    agent: str = ""
    """User agent of its calls, `%s` for the version; empty where it makes none."""
    tag: str = "1.0.0"
    revision: int = 0
    hash: str = ""
    replica_set_uid: bytes = b""
    slice_name: str = ""
    image_override: str = ""
    created_us: int = 0
    label: Label | None = None
    """Of what it causes, where an attack has made it; nobody else touches it then."""
    pods: list[Pod] = field(default_factory=list)
    bodies: WorkloadBodies = field(init=False)
    """Made anew for each revision, before its first record."""

    @property
    def image_name(self) -> str:
        """The image with its tag."""
        return self.image_override or f"{self.image}:{self.tag}"

    @property
    def replica_set(self) -> str:
        """The name of what owns its pods."""
        return self.name if self.kind is Kind.DAEMON_SET else f"{self.name}-{self.hash}"

    def user_agent(self) -> str:
        """Return the agent of its version."""
        return self.agent % self.tag if "%s" in self.agent else self.agent
