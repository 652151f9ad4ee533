"""The Threat Matrix for Kubernetes: its techniques, and which detections of the catalogue see each.

Ids, names and tactics are those of https://microsoft.github.io/Threat-Matrix-for-Kubernetes (third
version, MS-TA9001 to MS-TA9041; there is no MS-TA9032). Which of our detections sees a technique is
our own judgement. Separate from ATT&CK because the matrix has techniques that ATT&CK lacks, and
names by which people who run clusters know them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

SOURCE: Final = "https://microsoft.github.io/Threat-Matrix-for-Kubernetes/"


@dataclass(frozen=True, slots=True)
class MatrixTechnique:
    """One technique of the matrix."""

    id: str
    page: str
    """Name of its page, as it is spelt there."""
    tactics: tuple[str, ...]
    catalogue: tuple[str, ...]
    """Detections that see it; empty where nothing in our records does."""

    @property
    def url(self) -> str:
        """Return the address of its page."""
        return f"{SOURCE}techniques/{quote(self.page)}/"


_ROWS: Final = """
9001|Using Cloud Credentials|Initial Access|A07 A08 A10 A22
9002|Compromised Image In Registry|Initial Access|B12 B13 B14
9003|Kubeconfig file|Initial Access|A08 A09 A10 A21 R37
9004|Application Vulnerability|Initial Access|R25 R06
9005|Exposed sensitive interfaces|Initial Access|A01 A02 B25
9006|Exec into container|Execution|D01 D02 D03 D04 D06 D09
9007|bash or cmd inside container|Execution|D02 R01 R25
9008|New Container|Execution|B01 B09 B10 B12 B13 B16 B32
9009|Application Exploit (RCE)|Execution|R25 R18 R19
9010|SSH server running inside container|Execution|R05
9011|Sidecar Injection|Execution|B22 B23
9012|Backdoor container|Persistence|B18 B19 B32
9013|Writable hostPath mount|Persistence, Privilege Escalation, Lateral Movement|B05 B06
9014|Kubernetes CronJob|Persistence|B20
9015|Malicious admission controller|Persistence, Credential Access|C13 C14
9016|container service account|Persistence, Credential Access, Lateral Movement|A14 A17 C05 D04 R07
9017|Static Pods|Persistence|B21 R36
9018|Privileged container|Privilege Escalation|B01 B02 B07
9019|Cluster-admin binding|Privilege Escalation|D10 D11 D12 D17
9020|Access cloud resources|Privilege Escalation, Lateral Movement|D05 R09
9021|Clear container logs|Defense Evasion|R38
9022|Delete K8S events|Defense Evasion|C21
9023|Pod or container name similarily|Defense Evasion|B09 B15
9024|Connect from Proxy server|Defense Evasion|A24
9025|List K8S secrets|Credential Access|C06 C07 C08 C09 C10
9026|Mount service principal|Credential Access|B05 B06
9027|Application credentials in configuration files|Credential Access, Lateral Movement|C01 R10
9028|Access managed identity credentials|Credential Access|D05 R09
9029|Access the K8S API server|Discovery|A03 A04 A23 D20 R08
9030|Access Kubelet API|Discovery|D19 R08
9031|Network mapping|Discovery|B16 R24
9033|Instance Metadata API|Discovery|D05 R09
9034|Cluster internal networking|Lateral Movement|C16 R24 R49
9035|CoreDNS poisoning|Lateral Movement|C02
9036|ARP poisoning and IP spoofing|Lateral Movement|B07
9037|images from a private registry|Collection|C12
9038|Data destruction|Impact|D24
9039|Resource hijacking|Impact|B17 B31 R22
9040|Denial of service|Impact|D24 D25 C22
9041|Collecting Data from Pod|Collection|B30 D26 R50
"""


def _technique(row: str) -> MatrixTechnique:
    number, page, tactics, catalogue = row.split("|")
    return MatrixTechnique(
        f"MS-TA{number}", page, tuple(tactics.split(", ")), tuple(catalogue.split())
    )


MATRIX: Final = tuple(_technique(row) for row in _ROWS.strip().splitlines())
"""In the order of the ids."""
