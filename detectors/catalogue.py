"""The catalogue of detections: ids, what each is about, and what one needs that has no rule.

Rules name these ids (``trailwarden.catalogue``), so that coverage can be counted against what is
worth detecting instead of against what was written. Separate because it is data: 117 detections on
the audit log (A to D: abnormal logins, unauthorized installs, changes of key files and objects,
cluster control) and 51 on machines and containers (R), worked out of the public rule sets of
Falco, Elastic, Sigma, Panther, Splunk, Datadog, StackRox, Tracee, KubeArmor and Tetragon, and of
what none of them has.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

MEMORY: Final = "needs entity memory or learned profiles"
GEOGRAPHY: Final = "needs geography data"
NODE_AGENT: Final = "needs the node agent"
SILENCE: Final = "reported by the silence alarm and the ledger, not by a rule"
UNWRITTEN: Final = "not written yet"

FAMILIES: Final = MappingProxyType(
    {
        "A": "abnormal logins, in the audit log",
        "B": "unauthorized installs, in the audit log",
        "C": "changes of key files and objects, in the audit log",
        "D": "cluster control, in the audit log",
        "R": "machines and containers",
    }
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One detection of the catalogue."""

    id: str
    title: str
    without_rule: str
    """Why no rule covers it, where none does."""


_WITHOUT_RULE: Final = {
    **dict.fromkeys(
        ("A12", "A13", "A14", "A15", "A16", "A27", "A28", "B21", "B31", "D08", "D17", "D28"),
        MEMORY,
    ),
    **dict.fromkeys(("R26", "R45", "R47"), NODE_AGENT),
    "A11": GEOGRAPHY,
    "D27": SILENCE,
}

_TITLES: Final = """
A01 A request without a credential is allowed
A02 A client without a credential tries to change workloads or rights
A03 A client without a credential tries many addresses of the API
A04 One identity is refused many times
A05 Many requests with a bad credential
A06 Refusals end in success
A07 An identity that is not on the list of known ones
A08 A person who was never seen in this cluster
A09 A client program that is new for this identity
A10 An address or network that is new for this identity
A11 One identity in two places between which nobody travels so fast
A12 An identity at an hour at which it never works
A13 A service account calls from a public address
A14 A token of a pod is used away from its pod and node
A15 A token that an unexpected identity had issued
A16 A node's identity does what nodes do not do
A17 A token is requested for a service account
A18 A legacy or stale token is in use
A19 A client certificate is requested or approved
A20 A privileged identity is impersonated
A21 An emergency or default administrator is used
A22 The login map of EKS is changed
A23 An identity asks what it is allowed to do
A24 A request from a listed address
A25 A scanner, an attack tool or a script as client
A26 One credential in several clusters at once
A27 An identity that was silent for long acts again
A28 An identity acts unlike its peers
B01 A privileged container
B02 A pod in the node's process space
B03 A pod in the node's memory space
B04 A pod in the node's network
B05 A sensitive path of the node is mounted
B06 A path of the node is mounted through a volume
B07 Dangerous capabilities
B08 A pod without confinement
B09 A pod in a namespace of the system
B10 A pod in the default namespace
B11 A pod with a privileged service account
B12 An image from a registry that is not trusted
B13 An image that was never seen there
B14 An image by a name that can change its content
B15 A name made to look like a known one
B16 An image or pod of a scanner or attack tool
B17 A miner in a pod's specification
B18 A start command that downloads and runs, or calls back
B19 A daemon set is created
B20 A job or cron job is created or changed
B21 A static pod that is not in the baseline
B22 A container is added to a running workload
B23 An ephemeral container is added
B24 An operator or chart is installed by somebody new
B25 A service is opened to the outside
B26 A service takes over an external address
B27 An ingress without encryption
B28 An untrusted node joins
B29 Software is installed through exec
B30 Files are copied into or out of a pod
B31 A workload asks for far more than usual
B32 An unusual actor changes workloads
B33 Rights are changed, then workloads
B34 An admission check failed open or only warned
C01 A config map that holds credentials
C02 The cluster's name service is reconfigured
C03 Another config map of the control plane is changed
C04 A secret is changed by an unexpected actor
C05 A secret with a token of a service account is created
C06 A secret is read by somebody new
C07 Secrets of the whole cluster or of the system are listed
C08 Many secrets are read in a short time
C09 Reads of secrets are refused
C10 A secret is read with a script's client
C11 Secrets or config maps through the Azure Arc proxy
C12 A secret on the owner's list is touched
C13 An admission webhook is changed
C14 An admission policy is changed
C15 Pod security of a namespace is lowered
C16 A network policy is deleted or opened
C17 An aggregated API is registered or moved
C18 A conversion webhook is changed
C19 A service account's own secrets or cloud role are changed
C20 Endpoints or leases are edited by hand
C21 The cluster's events are deleted
C22 A quota or limit is removed
C23 An object that GitOps manages is edited by hand
C24 Audit, authorization or encryption of an API server is changed
C25 Labels or taints of a node are changed
D01 Exec into a pod
D02 Exec: a reverse shell
D03 Exec: something is fetched from the internet
D04 Exec: a sensitive file or token is read
D05 Exec: the cloud's metadata service
D06 Attach to a pod
D07 Port-forward or proxy
D08 Exec into a privileged pod
D09 Exec by a service account
D10 An administrator's role is bound
D11 A role with wildcards
D12 A role with rights that lead to more rights
D13 A role is widened
D14 A role that may write
D15 A role of the system is changed
D16 A service account changes rights
D17 A service account is bound to a role for the first time
D18 A service account in a namespace of the system
D19 A kubelet is reached through the API server
D20 Broad discovery
D21 Creation is refused
D22 An attempt to grant rights that one does not have
D23 A namespace is created by an unexpected actor
D24 Mass deletion
D25 Nodes are drained, cordoned or deleted
D26 Logs of many pods are read
D27 The audit log falls silent or has gaps
D28 A chain: discovery, credential, new address, change
D29 Activity: ordinary changes of objects
D30 One identity changes many clusters at once
R01 An interactive shell in a container
R02 An account of a service acts interactively
R03 Passwords are tried, and one works
R04 A first login by a key, from an address or of a user
R05 An SSH server in a container, or on an odd port
R06 An odd child of sshd, or a backdoor in it
R07 A token or certificate is read by an odd process
R08 The API or a kubelet is contacted from a container by a tool
R09 The cloud's metadata service is contacted
R10 A search for credentials
R11 Accounts or groups are changed
R12 A program to become another user, in a container
R13 A package manager in a container
R14 Package sources are changed
R15 The package database is written by another program
R16 Hooks of package managers
R17 A package tool with an odd parent
R18 A new program is dropped and run
R19 A program runs from temporary storage or memory
R20 A new file in a container becomes a program
R21 A download is written or run
R22 A miner
R23 A client of the cluster or the container runtime in a container
R24 A compiler, scanner or network tool in a container
R25 A reverse shell
R26 A privileged container was started
R27 The files of users and passwords are changed
R28 The rules of sudo are changed
R29 Authorized keys are changed
R30 SSH's configuration, programs or host keys are changed
R31 The login modules are changed
R32 Something is made to start by itself
R33 The loader is made to load something
R34 Programs or libraries of the system are changed
R35 The container runtime's own program is overwritten
R36 Files of the kubelet and the cluster are changed
R37 A kubeconfig is made, copied or read
R38 Auditing and logs are switched off or wiped
R39 The files of host names are changed
R40 File protections are lifted, or times are forged
R41 A link over a sensitive file
R42 Files of the kernel through which containers escape
R43 A kernel module or program is loaded
R44 An application's configuration or pages are changed
R45 A file differs from its image
R46 A program that leaves its container
R47 A process is traced or injected into
R48 A sensor or log service is stopped
R49 Unexpected connections and tunnels
R50 Data is packed and sent away
R51 A sensor drops events
"""


def _entries() -> dict[str, Entry]:
    found = {}
    for line in _TITLES.strip().splitlines():
        identifier, _, title = line.partition(" ")
        reason = _WITHOUT_RULE.get(identifier, UNWRITTEN)
        found[identifier] = Entry(identifier, title, reason)
    return found


CATALOGUE: Final[Mapping[str, Entry]] = MappingProxyType(_entries())
"""Id -> detection, in the order of the ids."""
