"""Settings and clusters in, attack chains at work in them out.

Separate because it is the list of what is planted: each chain is a few steps, a pace, and the name
under which it is scored. Techniques: MITRE ATT&CK.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from models.simulate.access_steps import (
    act_off_peer,
    debug_container,
    discover,
    exec_copy,
    exec_install,
    exec_privileged,
    exec_token,
    forward_port,
    list_secrets,
    probe_anonymously,
    probe_denied,
    reach_kubelet,
    read_as_usual,
    read_configmaps,
    read_secrets,
    read_secrets_slowly,
)
from models.simulate.chance import stream
from models.simulate.entry_steps import (
    approve_certificate,
    come_without_credentials,
    guess_tokens,
    impersonate,
    make_token_secret,
    mint_token,
    move_address,
    steal_admin_certificate,
    steal_certificate,
    steal_controller_token,
    steal_pod_token,
    take_over_agent,
    take_over_node,
    take_over_pipeline,
    take_over_pod,
    turn_developer,
    turn_insider,
    use_dormant_account,
)
from models.simulate.identities import unknown_caller
from models.simulate.intruder import Intruder
from models.simulate.labels import Episode
from models.simulate.persistence_steps import (
    bind_cluster_admin,
    bind_quietly,
    delete_events,
    destroy,
    drop_policies,
    edit_dns,
    hook_admission,
    make_namespace,
    open_service,
    overwrite_secret,
    widen_role,
)
from models.simulate.planting_steps import (
    leave_cron_job,
    mine,
    place_static_pod,
    run_privileged,
    swap_image,
)
from models.simulate.timeline import DAY, HOUR

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models.simulate.cluster import Cluster

Step = Callable[[Intruder], Iterator[int]]

FAST: Final = (1.0, 12.0)
STEADY: Final = (30.0, 400.0)
SLOW: Final = (900.0, 7_200.0)
"""Shortest and longest time between two requests, in seconds."""

_NAMESPACES: Final = ("shop", "payments", "data", "staging")
_QUIET_SHARE: Final = 0.4
"""Of the simulated time: no attack before, so that something can be learned."""

_LAST_SHARE: Final = 0.85


@dataclass(frozen=True, slots=True)
class Chain:
    """A kind of attack."""

    name: str
    technique: str
    description: str
    pace: tuple[float, float]
    steps: tuple[Step, ...]
    namespaces: tuple[str, ...] = _NAMESPACES


CHAINS: Final = (
    Chain(
        "stolen_token_off_pod",
        "T1078.004",
        "token of a pod used from outside: discovery, secrets",
        FAST,
        (steal_pod_token, discover, read_secrets),
        ("shop",),
    ),
    Chain(
        "minted_token_elsewhere",
        "T1528",
        "stolen certificate mints a controller's token, used elsewhere to bind cluster-admin",
        STEADY,
        (steal_admin_certificate, mint_token, list_secrets, bind_cluster_admin),
    ),
    Chain(
        "dormant_account_awakes",
        "T1078",
        "account of somebody who left: looks around, reads configuration",
        STEADY,
        (use_dormant_account, discover, read_configmaps),
    ),
    Chain(
        "exec_into_privileged",
        "T1611",
        "developer's stolen certificate runs commands in privileged pods",
        FAST,
        (steal_certificate, discover, exec_privileged, exec_privileged),
    ),
    Chain(
        "discovery_secrets_move_write",
        "T1552.007",
        "discovery, secrets, then a new address that writes",
        STEADY,
        (turn_developer, discover, read_secrets, move_address, overwrite_secret),
    ),
    Chain(
        "grant_cluster_admin",
        "T1098.006",
        "administrator binds a default service account to cluster-admin",
        FAST,
        (turn_insider, bind_cluster_admin),
    ),
    Chain(
        "static_pod",
        "T1610",
        "a node reports a mirror pod that nobody knows",
        FAST,
        (take_over_node, discover, place_static_pod),
    ),
    Chain(
        "cron_job_persistence",
        "T1053.007",
        "pipeline's identity leaves a cron job that fetches a script",
        STEADY,
        (take_over_pipeline, leave_cron_job),
    ),
    Chain(
        "image_swap",
        "T1525",
        "a developer's certificate changes a deployment's image",
        STEADY,
        (steal_certificate, read_as_usual, swap_image),
    ),
    Chain(
        "debug_container",
        "T1610",
        "container added to a running pod, attached, tunnel",
        FAST,
        (turn_developer, debug_container, forward_port),
    ),
    Chain(
        "impersonation",
        "T1134",
        "administrator's certificate borrows system:masters",
        STEADY,
        (steal_admin_certificate, impersonate, read_secrets),
    ),
    Chain(
        "off_peer_service",
        "T1069",
        "service asks from its own pod what its peers never ask",
        SLOW,
        (take_over_pod, act_off_peer, probe_denied),
        ("shop", "payments", "data"),
    ),
    Chain(
        "slow_secret_reader",
        "T1552.007",
        "a secret now and then, over days, at the usual place",
        SLOW,
        (turn_developer, read_secrets_slowly),
    ),
    Chain(
        "slow_secret_reader_off_pod",
        "T1552.007",
        "an agent's token reads secrets from outside, over days",
        SLOW,
        (take_over_agent, move_address, read_secrets_slowly),
    ),
    Chain(
        "privileged_workload",
        "T1611",
        "pod that owns its node, commands in it, traces removed",
        FAST,
        (steal_admin_certificate, run_privileged, exec_privileged, delete_events),
    ),
    Chain(
        "miner",
        "T1496",
        "namespace without policies, miner on every node",
        FAST,
        (steal_admin_certificate, make_namespace, mine),
    ),
    Chain(
        "admission_hook",
        "T1546",
        "webhook that changes every pod, and names that lead elsewhere",
        STEADY,
        (turn_insider, hook_admission, edit_dns),
    ),
    Chain(
        "self_made_certificate",
        "T1098",
        "certificate requested and approved by oneself, then used from elsewhere",
        STEADY,
        (steal_admin_certificate, approve_certificate, move_address, list_secrets),
    ),
    Chain(
        "guessed_token",
        "T1110.003",
        "tokens tried until one fits, then probing",
        FAST,
        (guess_tokens, steal_pod_token, probe_denied),
        ("payments", "shop"),
    ),
    Chain(
        "anonymous_probing",
        "T1190",
        "nobody knocks at well-known doors",
        FAST,
        (come_without_credentials, probe_anonymously),
    ),
    Chain(
        "kubelet_through_api",
        "T1613",
        "kubelets reached through the API server",
        STEADY,
        (steal_admin_certificate, discover, reach_kubelet),
    ),
    Chain(
        "pipeline_reads_secrets",
        "T1552.007",
        "pipeline reads secrets of other namespaces, leaves a token that does not expire",
        STEADY,
        (take_over_pipeline, read_secrets, make_token_secret),
    ),
    Chain(
        "wildcard_role",
        "T1098.006",
        "role that may do everything, added to a binding that exists",
        STEADY,
        (turn_insider, widen_role, bind_quietly),
    ),
    Chain(
        "install_and_copy",
        "T1609",
        "tools installed in a pod, data copied out",
        STEADY,
        (steal_certificate, exec_token, exec_install, exec_copy),
    ),
    Chain(
        "exposed_database",
        "T1133",
        "policies dropped, internal service opened to outside",
        STEADY,
        (steal_certificate, drop_policies, open_service),
        ("payments",),
    ),
    Chain(
        "stolen_controller_token",
        "T1078.004",
        "controller's token used from outside, slowly",
        SLOW,
        (steal_controller_token, read_as_usual, list_secrets),
    ),
    Chain(
        "night_work",
        "T1078",
        "ordinary work from a new place, nothing else",
        STEADY,
        (steal_certificate, read_as_usual, read_as_usual),
    ),
    Chain(
        "destruction",
        "T1485",
        "deployments, volumes and secrets of a namespace deleted",
        FAST,
        (use_dormant_account, discover, destroy),
    ),
    Chain(
        "node_credential",
        "T1552",
        "kubelet's certificate asks by hand: what it may not, then secrets",
        STEADY,
        (take_over_node, probe_denied, read_secrets),
    ),
    Chain(
        "agent_turned",
        "T1078.004",
        "agent of the platform acts from its own pod: discovery, secrets, token secret",
        SLOW,
        (take_over_agent, discover, read_secrets, make_token_secret),
    ),
)
"""More kinds than are planted by default: which come first is drawn by the seed."""


def plant(clusters: Sequence[Cluster]) -> None:
    """Spread the chains over the clusters and over the time after the quiet part."""
    settings = clusters[0].settings
    chance = stream(settings.seed, "chains")
    kinds = list(CHAINS)
    chance.shuffle(kinds)
    for number in range(settings.chains):
        chain, execution = kinds[number % len(kinds)], number // len(kinds)
        cluster = clusters[number % len(clusters)]
        share = chance.uniform(_QUIET_SHARE, _LAST_SHARE)
        start_us = cluster.start_us + HOUR + int(share * (settings.days * DAY - HOUR))
        cluster.spawn(_carry_out(cluster, chain, execution), start_us)


def _carry_out(cluster: Cluster, chain: Chain, execution: int) -> Iterator[int]:
    chance = cluster.stream("chain", chain.name, execution)
    episode = Episode(chain.name, execution, chain.technique, chain.description, cluster.name)
    cluster.book.episodes.append(episode)
    namespace = chance.choice(chain.namespaces)
    nobody = unknown_caller([], "")
    intruder = Intruder(cluster, episode, chance, nobody, namespace, chain.pace)
    for step in chain.steps:
        yield from step(intruder)
