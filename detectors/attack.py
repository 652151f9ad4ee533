"""From an ATT&CK technique id to its name and tactics: the part of MITRE ATT&CK rules speak of.

Separate because rules carry only ids (``attack.t1609``), while findings, the report and the
coverage table show names. A table in the source instead of the whole STIX bundle (some 40 MB):
every id of the detection catalogue, every technique that ATT&CK lists for the Containers platform,
and their parents.

Names and tactics are those of Enterprise ATT&CK v18.1 (https://attack.mitre.org, its STIX data).
v19 retired T1562 and some of T1070 in favour of new ids under the new tactic Defense Impairment;
rules from elsewhere already use them, so they stand in the table too, and ``REPLACED_BY`` says
which old id each of them replaces.

MITRE ATT&CK and ATT&CK are registered trademarks of The MITRE Corporation. The licence to use the
content asks for this notice in every copy:

"© The MITRE Corporation. This work is reproduced and distributed with the permission of The MITRE
Corporation."

The MITRE Corporation (MITRE) hereby grants you a non-exclusive, royalty-free license to use ATT&CK
for research, development, and commercial purposes. Any copy you make for such purposes is
authorized provided that you reproduce MITRE's copyright designation and this license in any such
copy.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

NOTICE: Final = (
    "MITRE ATT&CK® is a registered trademark of The MITRE Corporation. "
    "© The MITRE Corporation. This work is reproduced and distributed with the permission "
    "of The MITRE Corporation."
)


class Tactic(StrEnum):
    """The tactics of Enterprise ATT&CK in the order of its matrix, v18's and v19's."""

    RECONNAISSANCE = "Reconnaissance"
    RESOURCE_DEVELOPMENT = "Resource Development"
    INITIAL_ACCESS = "Initial Access"
    EXECUTION = "Execution"
    PERSISTENCE = "Persistence"
    PRIVILEGE_ESCALATION = "Privilege Escalation"
    DEFENSE_EVASION = "Defense Evasion"
    STEALTH = "Stealth"
    DEFENSE_IMPAIRMENT = "Defense Impairment"
    CREDENTIAL_ACCESS = "Credential Access"
    DISCOVERY = "Discovery"
    LATERAL_MOVEMENT = "Lateral Movement"
    COLLECTION = "Collection"
    COMMAND_AND_CONTROL = "Command and Control"
    EXFILTRATION = "Exfiltration"
    IMPACT = "Impact"


@dataclass(frozen=True, slots=True)
class Technique:
    """One technique or sub-technique; ``name`` is its own, without that of its parent."""

    id: str
    name: str
    tactics: tuple[Tactic, ...]

    @property
    def title(self) -> str:
        """Name as ATT&CK prints it: a sub-technique's stands after its parent's."""
        parent = TECHNIQUES.get(self.id.partition(".")[0])
        return self.name if parent is None or parent is self else f"{parent.name}: {self.name}"


def technique_url(technique_id: str) -> str | None:
    """Page of a technique on attack.mitre.org, or None if the text is not a technique id."""
    parent, dot, child = technique_id.partition(".")
    if not _is_number(parent[1:], 4) or parent[:1] != "T" or (dot and not _is_number(child, 3)):
        return None
    return f"https://attack.mitre.org/techniques/{parent}/{child + '/' if child else ''}"


def _is_number(text: str, digits: int) -> bool:
    return len(text) == digits and text.isascii() and text.isdigit()


def _technique(technique_id: str, name: str, *tactics: Tactic) -> Technique:
    return Technique(technique_id, name, tactics)


_RECON = Tactic.RECONNAISSANCE
_RESOURCE = Tactic.RESOURCE_DEVELOPMENT
_ACCESS = Tactic.INITIAL_ACCESS
_EXECUTE = Tactic.EXECUTION
_PERSIST = Tactic.PERSISTENCE
_ESCALATE = Tactic.PRIVILEGE_ESCALATION
_EVADE = Tactic.DEFENSE_EVASION
_IMPAIR = Tactic.DEFENSE_IMPAIRMENT
_CREDENTIAL = Tactic.CREDENTIAL_ACCESS
_DISCOVER = Tactic.DISCOVERY
_MOVE = Tactic.LATERAL_MOVEMENT
_COLLECT = Tactic.COLLECTION
_COMMAND = Tactic.COMMAND_AND_CONTROL
_EXFILTRATE = Tactic.EXFILTRATION
_IMPACT = Tactic.IMPACT

_ROWS: Final = (
    _technique("T1014", "Rootkit", _EVADE),
    _technique("T1021", "Remote Services", _MOVE),
    _technique("T1021.004", "SSH", _MOVE),
    _technique("T1027", "Obfuscated Files or Information", _EVADE),
    _technique("T1027.004", "Compile After Delivery", _EVADE),
    _technique("T1033", "System Owner/User Discovery", _DISCOVER),
    _technique("T1036", "Masquerading", _EVADE),
    _technique("T1036.004", "Masquerade Task or Service", _EVADE),
    _technique("T1036.005", "Match Legitimate Resource Name or Location", _EVADE),
    _technique("T1036.010", "Masquerade Account Name", _EVADE),
    _technique("T1037", "Boot or Logon Initialization Scripts", _PERSIST, _ESCALATE),
    _technique("T1037.004", "RC Scripts", _PERSIST, _ESCALATE),
    _technique("T1040", "Network Sniffing", _CREDENTIAL, _DISCOVER),
    _technique("T1046", "Network Service Discovery", _DISCOVER),
    _technique("T1048", "Exfiltration Over Alternative Protocol", _EXFILTRATE),
    _technique("T1053", "Scheduled Task/Job", _EXECUTE, _PERSIST, _ESCALATE),
    _technique("T1053.003", "Cron", _EXECUTE, _PERSIST, _ESCALATE),
    _technique("T1053.006", "Systemd Timers", _EXECUTE, _PERSIST, _ESCALATE),
    _technique("T1053.007", "Container Orchestration Job", _EXECUTE, _PERSIST, _ESCALATE),
    _technique("T1055", "Process Injection", _ESCALATE, _EVADE),
    _technique("T1055.008", "Ptrace System Calls", _ESCALATE, _EVADE),
    _technique("T1057", "Process Discovery", _DISCOVER),
    _technique("T1059", "Command and Scripting Interpreter", _EXECUTE),
    _technique("T1059.004", "Unix Shell", _EXECUTE),
    _technique("T1059.013", "Container CLI/API", _EXECUTE),
    _technique("T1068", "Exploitation for Privilege Escalation", _ESCALATE),
    _technique("T1069", "Permission Groups Discovery", _DISCOVER),
    _technique("T1069.003", "Cloud Groups", _DISCOVER),
    _technique("T1070", "Indicator Removal", _EVADE),
    _technique("T1070.002", "Clear Linux or Mac System Logs", _EVADE),
    _technique("T1070.003", "Clear Command History", _EVADE),
    _technique("T1070.006", "Timestomp", _EVADE),
    _technique("T1071", "Application Layer Protocol", _COMMAND),
    _technique("T1072", "Software Deployment Tools", _EXECUTE, _MOVE),
    _technique("T1078", "Valid Accounts", _ACCESS, _PERSIST, _ESCALATE, _EVADE),
    _technique("T1078.001", "Default Accounts", _ACCESS, _PERSIST, _ESCALATE, _EVADE),
    _technique("T1078.003", "Local Accounts", _ACCESS, _PERSIST, _ESCALATE, _EVADE),
    _technique("T1078.004", "Cloud Accounts", _ACCESS, _PERSIST, _ESCALATE, _EVADE),
    _technique("T1082", "System Information Discovery", _DISCOVER),
    _technique("T1090", "Proxy", _COMMAND),
    _technique("T1090.003", "Multi-hop Proxy", _COMMAND),
    _technique("T1098", "Account Manipulation", _PERSIST, _ESCALATE),
    _technique("T1098.004", "SSH Authorized Keys", _PERSIST, _ESCALATE),
    _technique("T1098.006", "Additional Container Cluster Roles", _PERSIST, _ESCALATE),
    _technique("T1098.007", "Additional Local or Domain Groups", _PERSIST, _ESCALATE),
    _technique("T1105", "Ingress Tool Transfer", _COMMAND),
    _technique("T1110", "Brute Force", _CREDENTIAL),
    _technique("T1110.001", "Password Guessing", _CREDENTIAL),
    _technique("T1110.003", "Password Spraying", _CREDENTIAL),
    _technique("T1110.004", "Credential Stuffing", _CREDENTIAL),
    _technique("T1133", "External Remote Services", _ACCESS, _PERSIST),
    _technique("T1134", "Access Token Manipulation", _ESCALATE, _EVADE),
    _technique("T1136", "Create Account", _PERSIST),
    _technique("T1136.001", "Local Account", _PERSIST),
    _technique("T1140", "Deobfuscate/Decode Files or Information", _EVADE),
    _technique("T1190", "Exploit Public-Facing Application", _ACCESS),
    _technique("T1195", "Supply Chain Compromise", _ACCESS),
    _technique("T1195.002", "Compromise Software Supply Chain", _ACCESS),
    _technique("T1204", "User Execution", _EXECUTE),
    _technique("T1204.003", "Malicious Image", _EXECUTE),
    _technique("T1213", "Data from Information Repositories", _COLLECT),
    _technique("T1222", "File and Directory Permissions Modification", _EVADE),
    _technique("T1222.002", "Linux and Mac File and Directory Permissions Modification", _EVADE),
    _technique("T1485", "Data Destruction", _IMPACT),
    _technique("T1489", "Service Stop", _IMPACT),
    _technique("T1490", "Inhibit System Recovery", _IMPACT),
    _technique("T1496", "Resource Hijacking", _IMPACT),
    _technique("T1496.001", "Compute Hijacking", _IMPACT),
    _technique("T1496.002", "Bandwidth Hijacking", _IMPACT),
    _technique("T1498", "Network Denial of Service", _IMPACT),
    _technique("T1499", "Endpoint Denial of Service", _IMPACT),
    _technique("T1505", "Server Software Component", _PERSIST),
    _technique("T1505.003", "Web Shell", _PERSIST),
    _technique("T1525", "Implant Internal Image", _PERSIST),
    _technique("T1528", "Steal Application Access Token", _CREDENTIAL),
    _technique("T1530", "Data from Cloud Storage", _COLLECT),
    _technique("T1543", "Create or Modify System Process", _PERSIST, _ESCALATE),
    _technique("T1543.002", "Systemd Service", _PERSIST, _ESCALATE),
    _technique("T1543.005", "Container Service", _PERSIST, _ESCALATE),
    _technique("T1546", "Event Triggered Execution", _PERSIST, _ESCALATE),
    _technique("T1546.004", "Unix Shell Configuration Modification", _PERSIST, _ESCALATE),
    _technique("T1546.016", "Installer Packages", _PERSIST, _ESCALATE),
    _technique("T1546.017", "Udev Rules", _PERSIST, _ESCALATE),
    _technique("T1546.018", "Python Startup Hooks", _PERSIST, _ESCALATE),
    _technique("T1547", "Boot or Logon Autostart Execution", _PERSIST, _ESCALATE),
    _technique("T1547.006", "Kernel Modules and Extensions", _PERSIST, _ESCALATE),
    _technique("T1548", "Abuse Elevation Control Mechanism", _ESCALATE, _EVADE),
    _technique("T1548.001", "Setuid and Setgid", _ESCALATE, _EVADE),
    _technique("T1548.003", "Sudo and Sudo Caching", _ESCALATE, _EVADE),
    _technique("T1550", "Use Alternate Authentication Material", _EVADE, _MOVE),
    _technique("T1550.001", "Application Access Token", _EVADE, _MOVE),
    _technique("T1552", "Unsecured Credentials", _CREDENTIAL),
    _technique("T1552.001", "Credentials In Files", _CREDENTIAL),
    _technique("T1552.004", "Private Keys", _CREDENTIAL),
    _technique("T1552.005", "Cloud Instance Metadata API", _CREDENTIAL),
    _technique("T1552.007", "Container API", _CREDENTIAL),
    _technique("T1553", "Subvert Trust Controls", _EVADE),
    _technique("T1553.004", "Install Root Certificate", _EVADE),
    _technique("T1554", "Compromise Host Software Binary", _PERSIST),
    _technique("T1555", "Credentials from Password Stores", _CREDENTIAL),
    _technique("T1556", "Modify Authentication Process", _PERSIST, _EVADE, _CREDENTIAL),
    _technique("T1556.003", "Pluggable Authentication Modules", _PERSIST, _EVADE, _CREDENTIAL),
    _technique("T1557", "Adversary-in-the-Middle", _CREDENTIAL, _COLLECT),
    _technique("T1560", "Archive Collected Data", _COLLECT),
    _technique("T1560.001", "Archive via Utility", _COLLECT),
    _technique("T1562", "Impair Defenses", _EVADE),
    _technique("T1562.001", "Disable or Modify Tools", _EVADE),
    _technique("T1562.003", "Impair Command History Logging", _EVADE),
    _technique("T1562.004", "Disable or Modify System Firewall", _EVADE),
    _technique("T1562.008", "Disable or Modify Cloud Logs", _EVADE),
    _technique("T1562.012", "Disable or Modify Linux Audit System", _EVADE),
    _technique("T1564", "Hide Artifacts", _EVADE),
    _technique("T1564.001", "Hidden Files and Directories", _EVADE),
    _technique("T1565", "Data Manipulation", _IMPACT),
    _technique("T1565.001", "Stored Data Manipulation", _IMPACT),
    _technique("T1571", "Non-Standard Port", _COMMAND),
    _technique("T1572", "Protocol Tunneling", _COMMAND),
    _technique("T1574", "Hijack Execution Flow", _PERSIST, _ESCALATE, _EVADE),
    _technique("T1574.006", "Dynamic Linker Hijacking", _PERSIST, _ESCALATE, _EVADE),
    _technique("T1583", "Acquire Infrastructure", _RESOURCE),
    _technique("T1583.001", "Domains", _RESOURCE),
    _technique("T1595", "Active Scanning", _RECON),
    _technique("T1595.003", "Wordlist Scanning", _RECON),
    _technique("T1609", "Container Administration Command", _EXECUTE),
    _technique("T1610", "Deploy Container", _EXECUTE, _EVADE),
    _technique("T1611", "Escape to Host", _ESCALATE),
    _technique("T1612", "Build Image on Host", _EVADE),
    _technique("T1613", "Container and Resource Discovery", _DISCOVER),
    _technique("T1620", "Reflective Code Loading", _EVADE),
    _technique("T1622", "Debugger Evasion", _EVADE, _DISCOVER),
    _technique("T1685", "Disable or Modify Tools", _IMPAIR),
    _technique("T1685.002", "Disable or Modify Cloud Log", _IMPAIR),
    _technique("T1685.004", "Disable or Modify Linux Audit System Log", _IMPAIR),
    _technique("T1685.006", "Clear Linux or Mac System Logs", _IMPAIR),
    _technique("T1686", "Disable or Modify System Firewall", _IMPAIR),
    _technique("T1690", "Prevent Command History Logging", _IMPAIR),
)

TECHNIQUES: Final[Mapping[str, Technique]] = MappingProxyType({row.id: row for row in _ROWS})

# Old id -> the id that v19 put in its place (https://attack.mitre.org/resources/updates/).
REPLACED_BY: Final[Mapping[str, str]] = MappingProxyType(
    {
        "T1070.002": "T1685.006",
        "T1562": "T1685",
        "T1562.001": "T1685",
        "T1562.003": "T1690",
        "T1562.004": "T1686",
        "T1562.008": "T1685.002",
        "T1562.012": "T1685.004",
    }
)
