"""Changes of files as Wazuh 4 reports them: alerts.json, archives.json, the indexer's documents.

In goes one alert with ``syscheck``, out one event. Separate because Wazuh writes most members
twice, before and after, and names permissions and attributes in its own words.

Facts: wazuh/wazuh-documentation, "FIM fields rule mapping" and "Advanced settings" (complete alerts
of Linux and Windows, also as the indexer keeps them, in ``_source``); wazuh/wazuh
``src/analysisd/format/to_json.c``. ``mtime_*`` is the manager's local time without a zone: in the
documented alert the epoch in ``full_log`` shows it to be that of ``timestamp``. ``diff`` holds
lines of the file and is never kept, nor is ``full_log``, which may repeat them.

Alerts about anything but files are refused: the logins among them are better read from the log
that Wazuh read them from, and would be there twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ingest.formats.clock import from_text
from ingest.formats.file_mode import file_mode
from ingest.formats.leftovers import leftovers
from ingest.formats.reader import Reader
from ingest.formats.seen import Action, Dataset, Fields, NotWantedError, Seen

if TYPE_CHECKING:
    from ingest.formats.reader import Document
    from ingest.formats.seen import Around

_ACTIONS: Final = {
    "added": Action.FILE_CREATE,
    "readded": Action.FILE_CREATE,
    "modified": Action.FILE_MODIFY,
    "deleted": Action.FILE_DELETE,
}
_ATTRIBUTES: Final = {
    "permission": "mode",
    "user_name": "owner",
    "group_name": "group",
}
"""Wazuh's word of ``changed_attributes`` -> ours; its others are ours."""

_COMPARED: Final = (
    ("size", "size"),
    ("perm", "mode"),
    ("uid", "uid"),
    ("uname", "owner"),
    ("gid", "gid"),
    ("gname", "group"),
    ("inode", "inode"),
    ("mtime", "mtime"),
    ("md5", "md5"),
    ("sha1", "sha1"),
    ("sha256", "sha256"),
)
_CONTENT: Final = frozenset({"size", "md5", "sha1", "sha256"})
_HASHES: Final = ("sha256", "sha1", "md5")
_KEPT: Final = (
    ("mode", "mode"),
    ("symbolic_path", "symbolic_path"),
    ("hard_links", "hard_links"),
    ("attrs_after", "attributes"),
    ("win_perm_after", "permissions"),
)
_MARKS: Final = ("rule", "agent", "manager", "decoder")
_UNSET: Final = frozenset({"-1", "4294967295"})
"""The login uid of whoever never logged in."""
_REGISTRY: Final = ("arch", "value_name")
"""Members that only what is told of the registry has: keys and values."""
_ZONE_LENGTH: Final = 5
_LOCAL_LENGTH: Final = len("2026-11-21T10:46:08")


def recognizes(document: Document) -> bool:
    """Whether this is an alert of Wazuh, of whatever it is about."""
    document = _alert(document)
    if "syscheck" in document:
        return any(key in document for key in _MARKS)
    return "manager" in document and "rule" in document and "agent" in document


def decode(document: Document, around: Around) -> list[Seen]:  # noqa: ARG001 - times are whole
    """Return the change of a file or of the registry.

    Raises
        NotThisFormatError: it is about something else; caught where formats are told apart.
    """
    read = Reader()
    alert = _alert(document)
    check = read.mapping(alert, "syscheck")
    path = read.text(check, "path")
    if path is None:
        raise NotWantedError("a Wazuh alert that is not about a file")
    rule = read.mapping(alert, "rule")
    time = read.text(alert, "timestamp")
    event = read.text(check, "event")
    fields: Fields = {
        "event.dataset": Dataset.WAZUH,
        "event.outcome": "success",
        "event.provider": "wazuh",
        "event.code": event,
        "@timestamp": from_text(time),
        "trailwarden.tool.rule": _rule(read, rule),
        "trailwarden.tool.severity": read.text(rule, "level"),
        "trailwarden.tool.tags": _tags(read, rule, check),
    }
    kept: dict[str, Any] = {name: check[key] for key, name in _KEPT if key in check}
    if "diff" in check:
        kept["diff"] = True
    _read_agent(read, alert, fields, kept)
    if "audit" in check:
        _read_audit(read, check, fields)
    if any(key in check for key in _REGISTRY) or "registry" in (
        read.text(check, "entry_type") or ""
    ):
        kept["registry"] = {
            key: check[key] for key in ("path", "arch", "value_name", "value_type") if key in check
        }
        fields["event.action"] = Action.OTHER
    else:
        fields["file.path"] = path
        changed = _changed(read, check)
        fields["trailwarden.file.changed"] = changed or None
        fields["event.action"] = action = _action(event, changed, check)
        _read_before(read, check, fields, gone=action is Action.FILE_DELETE)
        if action is not Action.FILE_DELETE:
            _read_after(read, check, fields, (time or "")[-_ZONE_LENGTH:])
    fields["trailwarden.tool.fields"] = leftovers(kept)
    return [Seen(fields, read.issues, _identity(read, alert))]


def _alert(document: Document) -> Document:
    source = document.get("_source")
    return source if isinstance(source, dict) else document


def _identity(read: Reader, alert: Document) -> tuple[str, ...] | None:
    """Return what the alert's file and the indexer's document have in common."""
    number = read.text(alert, "id")
    manager = read.text(read.mapping(alert, "manager"), "name")
    return (manager, number) if manager and number else None


def _rule(read: Reader, rule: Document) -> str | None:
    words = read.text(rule, "id"), read.text(rule, "description")
    return " ".join(word for word in words if word) or None


def _tags(read: Reader, rule: Document, check: Document) -> list[str] | None:
    tags = read.texts(rule, "groups")
    if "mitre" in rule:
        tags += read.texts(read.mapping(rule, "mitre"), "id")
    for key in ("tags", "tag"):
        if key in check:
            tags += read.texts(check, key)
    return tags or None


def _read_agent(read: Reader, alert: Document, fields: Fields, kept: dict[str, Any]) -> None:
    agent = read.mapping(alert, "agent")
    number = read.text(agent, "id")
    fields["host.name"] = read.text(agent, "name")
    if number is not None:
        kept["agent.id"] = number


def _read_audit(read: Reader, check: Document, fields: Fields) -> None:
    """Read who did it; only ``whodata`` knows."""
    audit = read.mapping(check, "audit")
    process = read.mapping(audit, "process")
    fields["process.pid"] = read.number(process, "id")
    fields["process.executable"] = executable = read.text(process, "name")
    if executable is not None and "\\" in executable:
        fields["process.name"] = executable.rpartition("\\")[2]
    fields["process.working_directory"] = read.text(process, "cwd")
    fields["process.parent.pid"] = read.number(process, "ppid")
    fields["process.parent.executable"] = read.text(process, "parent_name")
    for column, key in (("user", "user"), ("user.audit", "login_user")):
        user = read.mapping(audit, key)
        number = read.text(user, "id")
        fields[column + ".id"] = None if number in _UNSET else number
        fields[column + ".name"] = read.text(user, "name")
    effective = read.mapping(audit, "effective_user")
    fields["user.effective.id"] = read.text(effective, "id")
    fields["user.effective.name"] = read.text(effective, "name")


def _changed(read: Reader, check: Document) -> list[str]:
    """Return the attributes that changed; Wazuh 3 does not list them, but shows both values."""
    if "changed_attributes" in check:
        return [_ATTRIBUTES.get(word, word) for word in read.texts(check, "changed_attributes")]
    return [
        name
        for key, name in _COMPARED
        if f"{key}_before" in check
        and f"{key}_after" in check
        and check[f"{key}_before"] != check[f"{key}_after"]
    ]


def _action(event: str | None, changed: list[str], check: Document) -> Action:
    """Tell a change of attributes from one of content; no hash to compare leaves the time."""
    action = _ACTIONS.get(event or "", Action.OTHER)
    if action is not Action.FILE_MODIFY or not changed or not _CONTENT.isdisjoint(changed):
        return action
    has_hash = any(f"{name}_after" in check for name in _HASHES)
    return action if "mtime" in changed and not has_hash else Action.FILE_ATTRIBUTES


def _read_before(read: Reader, check: Document, fields: Fields, *, gone: bool) -> None:
    """Read what the file was; of a deleted one Wazuh writes its last attributes as ``_after``."""

    def was(key: str) -> str | None:
        before = read.text(check, f"{key}_before")
        return read.text(check, f"{key}_after") if before is None and gone else before

    hashes = (was(name) for name in _HASHES)
    fields["trailwarden.file.hash_before"] = next((found for found in hashes if found), None)
    fields["trailwarden.file.mode_before"] = file_mode(was("perm") or "")
    fields["trailwarden.file.owner_before"] = was("uname") or was("uid")


def _read_after(read: Reader, check: Document, fields: Fields, zone: str) -> None:
    for name in _HASHES:
        fields["file.hash." + name] = read.text(check, f"{name}_after")
    fields["file.size"] = read.number(check, "size_after")
    fields["file.mode"] = file_mode(read.text(check, "perm_after") or "")
    fields["file.uid"] = read.text(check, "uid_after")
    fields["file.gid"] = read.text(check, "gid_after")
    fields["file.owner"] = read.text(check, "uname_after")
    fields["file.group"] = read.text(check, "gname_after")
    fields["file.inode"] = read.text(check, "inode_after")
    time = read.text(check, "mtime_after")
    if time is not None and len(time) == _LOCAL_LENGTH and zone[:1] in {"+", "-"}:
        time += zone
    fields["file.mtime"] = from_text(time)
