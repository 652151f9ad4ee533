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

from ingest.formats.file_mode import file_mode
from ingest.formats.leftovers import leftovers
from ingest.formats.member_columns import fill_texts, first_text
from ingest.formats.reader import Reader
from ingest.formats.seen import Action, Dataset, Fields, NotWantedError, Seen
from ingest.formats.zoned_time import from_zoned

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
_AFTER: Final = {
    "sha256_after": "file.hash.sha256",
    "sha1_after": "file.hash.sha1",
    "md5_after": "file.hash.md5",
    "uid_after": "file.uid",
    "gid_after": "file.gid",
    "uname_after": "file.owner",
    "gname_after": "file.group",
    "inode_after": "file.inode",
}
_HASHES: Final = ("sha256_after", "sha1_after", "md5_after")
_BEFORE: Final = (
    ("sha256_before", "sha1_before", "md5_before"),
    ("perm_before",),
    ("uname_before", "uid_before"),
)
_LAST: Final = tuple(
    tuple(key for before in keys for key in (before, before.replace("_before", "_after")))
    for keys in _BEFORE
)
"""Where hash, permissions and owner before the act stand; of a deleted file what was last seen."""

_PROCESS: Final = {
    "name": "process.executable",
    "cwd": "process.working_directory",
    "parent_name": "process.parent.executable",
}
_PEOPLE: Final = (
    ("user", {"id": "user.id", "name": "user.name"}),
    ("login_user", {"id": "user.audit.id", "name": "user.audit.name"}),
    ("effective_user", {"id": "user.effective.id", "name": "user.effective.name"}),
)
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
        "@timestamp": from_zoned(time),
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
        if changed:
            fields["trailwarden.file.changed"] = changed
        fields["event.action"] = action = _action(event, changed, check)
        is_gone = action is Action.FILE_DELETE
        _read_before(read, check, fields, _LAST if is_gone else _BEFORE)
        if not is_gone:
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
    number, said = read.text(rule, "id"), read.text(rule, "description")
    return f"{number} {said}" if number and said else number or said


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
    fields["process.parent.pid"] = read.number(process, "ppid")
    fill_texts(read, process, _PROCESS, fields)
    executable = fields.get("process.executable")
    if executable is not None and "\\" in executable:
        fields["process.name"] = executable.rpartition("\\")[2]
    for key, columns in _PEOPLE:
        fill_texts(read, read.mapping(audit, key), columns, fields)
    if fields.get("user.audit.id") in _UNSET:
        del fields["user.audit.id"]


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
    has_hash = any(name in check for name in _HASHES)
    return action if "mtime" in changed and not has_hash else Action.FILE_ATTRIBUTES


def _read_before(
    read: Reader, check: Document, fields: Fields, places: tuple[tuple[str, ...], ...]
) -> None:
    """Read what the file was; of a deleted one Wazuh writes its last attributes as ``_after``."""
    hashes, permissions, owners = places
    fields["trailwarden.file.hash_before"] = first_text(read, check, hashes)
    fields["trailwarden.file.mode_before"] = file_mode(first_text(read, check, permissions) or "")
    fields["trailwarden.file.owner_before"] = first_text(read, check, owners)


def _read_after(read: Reader, check: Document, fields: Fields, zone: str) -> None:
    fill_texts(read, check, _AFTER, fields)
    fields["file.size"] = read.number(check, "size_after")
    fields["file.mode"] = file_mode(read.text(check, "perm_after") or "")
    time = read.text(check, "mtime_after")
    if time is not None and len(time) == _LOCAL_LENGTH and zone[:1] in {"+", "-"}:
        time += zone
    fields["file.mtime"] = from_zoned(time)
