"""The columns of what machines, containers and their sensors say, a part of the event.

Separate from the rest of the schema (ingest/schema.py), because the API server's events leave all
of them empty. Names are ECS field names; what ECS lacks is under ``trailwarden.*``.
"""

from __future__ import annotations

from typing import Final

from ingest.column import NUMBER, TEXT, TEXTS, TIME, Column

_TW: Final = "trailwarden."

MACHINE: Final = (
    Column("host.name", TEXT, "the machine or node that the record is about"),
    Column("message", TEXT, "the record's own words, redacted"),
    Column("process.pid", NUMBER, "process id, the machine's where known", ("ProcessId",)),
    Column("process.name", TEXT, "the program's name without its folder"),
    Column("process.executable", TEXT, "the program's path", ("Image",)),
    Column("process.working_directory", TEXT, "where it runs", ("CurrentDirectory",)),
    Column("process.entity_id", TEXT, "the sensor's own unique name of the process"),
    Column("process.exit_code", NUMBER, "what it ended with"),
    Column("process.parent.pid", NUMBER, "process id of its parent", ("ParentProcessId",)),
    Column("process.parent.name", TEXT, "the parent's name"),
    Column("process.parent.executable", TEXT, "the parent's path", ("ParentImage",)),
    Column(
        "process.parent.command_line",
        TEXT,
        "the parent's command line, redacted",
        ("ParentCommandLine",),
    ),
    Column("process.parent.entity_id", TEXT, "the sensor's own unique name of the parent"),
    Column(_TW + "process.ancestors", TEXTS, "names of the ancestors, the parent first"),
    Column(_TW + "process.terminal", TEXT, "the terminal it is bound to, as the sensor names it"),
    Column(_TW + "syscall", TEXT, "the system call, by name"),
    Column("user.audit.id", TEXT, "login uid: who logged in, whoever they are now"),
    Column("user.audit.name", TEXT, "its name"),
    Column("user.effective.id", TEXT, "the uid that they act as"),
    Column("user.target.name", TEXT, "the account that is changed or becomes theirs"),
    Column("group.name", TEXT, "the group that is changed"),
    Column("container.id", TEXT, "the container's id, as long as the source gives it"),
    Column("container.image.name", TEXT, "its image as written"),
    Column("container.runtime", TEXT, "`docker`, `containerd`, `cri-o`"),
    Column(_TW + "workload.kind", TEXT, "kind of the workload that the pod belongs to"),
    Column(_TW + "workload.name", TEXT, "its name"),
    Column("file.path", TEXT, "the file, absolute where the record says so", ("TargetFilename",)),
    Column("file.target_path", TEXT, "what a link leads to, or a file's new name"),
    Column("file.type", TEXT, "`file`, `dir`, `symlink` ..."),
    Column("file.inode", TEXT, "its inode"),
    Column("file.mode", TEXT, "permission bits, octal with four digits, after the act"),
    Column("file.uid", TEXT, "its owner's uid, after the act"),
    Column("file.gid", TEXT, "its group's gid, after the act"),
    Column("file.owner", TEXT, "its owner, after the act"),
    Column("file.group", TEXT, "its group, after the act"),
    Column("file.size", NUMBER, "bytes, after the act"),
    Column("file.mtime", TIME, "when its content last changed"),
    Column("file.hash.md5", TEXT, "of its content after the act"),
    Column("file.hash.sha1", TEXT, "of its content after the act"),
    Column("file.hash.sha256", TEXT, "of its content after the act"),
    Column(_TW + "file.hash_before", TEXT, "strongest hash of its content before the act"),
    Column(_TW + "file.mode_before", TEXT, "permission bits before the act"),
    Column(_TW + "file.owner_before", TEXT, "owner before the act"),
    Column(_TW + "file.changed", TEXTS, "attributes that changed: `size`, `mode`, `sha256` ..."),
    Column(_TW + "file.access", TEXTS, "`read`, `write`, `create`, `truncate`, `append`"),
    Column("package.name", TEXTS, "packages named on a package manager's command line"),
    Column(_TW + "package.manager", TEXT, "`apt`, `apk`, `dnf`, `pip`, `npm` ..."),
    Column(_TW + "package.action", TEXT, "`install`, `remove`, `update`, `download`"),
    Column("source.port", NUMBER, "port of the peer or of the local end of a connection"),
    Column("source.domain", TEXT, "name of the peer, where the record has no address"),
    Column("destination.ip", TEXT, "address that was connected to", ("DestinationIp",)),
    Column("destination.port", NUMBER, "its port", ("DestinationPort",)),
    Column("destination.domain", TEXT, "its name", ("DestinationHostname",)),
    Column("network.transport", TEXT, "`tcp`, `udp`, `unix` ...", ("Protocol",)),
    Column(_TW + "session.id", TEXT, "the session's own id on its machine"),
    Column(_TW + "session.method", TEXT, "`password`, `publickey`, `oauth` ..."),
    Column(_TW + "session.service", TEXT, "what was logged in to: `sshd`, `su`, `sudo` ..."),
    Column(_TW + "session.terminal", TEXT, "the terminal of the session"),
    Column(_TW + "session.key", TEXT, "fingerprint of the key or certificate that was shown"),
    Column(_TW + "session.reason", TEXT, "why it failed, in the program's words"),
    Column(_TW + "tool.rule", TEXT, "the rule of the tool that reported this"),
    Column(_TW + "tool.severity", TEXT, "its severity in the tool's own words"),
    Column(_TW + "tool.tags", TEXTS, "its tags"),
    Column(_TW + "tool.action", TEXT, "what the tool did about it: `Block`, `Sigkill` ..."),
    Column(_TW + "tool.fields", TEXT, "what has no column of its own, JSON, redacted"),
    Column(_TW + "sensor.lost", NUMBER, "events that the sensor says it dropped"),
    Column(_TW + "verdict.value", TEXT, "`true_positive`, `false_positive`, `benign`, `unsure`"),
    Column(_TW + "verdict.finding", TEXT, "the finding that a person decided this about"),
    Column(_TW + "verdict.rule", TEXT, "the rule of that finding, by its id"),
    Column(_TW + "verdict.author", TEXT, "who decided it; their words are in `message`"),
    Column(_TW + "verdict.events", TEXTS, "events that the finding rests on, by `event.id`"),
)
"""What machines, containers and their sensors say; empty in the API server's events."""
