"""A program's name and message in, the columns of a login, a session or an account's change out.

Separate because syslog and journald carry the same messages: this alone knows which program means
what, and which programs are wanted at all. Plain syslog cannot tell who wrote a line: any local
user may write one in sshd's name (``logger -t sshd``), and anybody at all where a collector takes
it by UDP. journald knows (ingest/formats/journald.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ingest.formats.accounts import account_columns
from ingest.formats.console_login import login_columns
from ingest.formats.cron import cron_columns
from ingest.formats.logind import logind_columns
from ingest.formats.pam import is_pam, pam_columns, password_check_columns
from ingest.formats.seen import Dataset, NotWantedError
from ingest.formats.sshd import sshd_columns
from ingest.formats.su import runuser_columns, su_columns
from ingest.formats.sudo import pkexec_columns, sudo_columns

if TYPE_CHECKING:
    from collections.abc import Callable

    from ingest.formats.seen import Fields

_ACCOUNT_PROGRAMS: Final = (
    *("useradd", "usermod", "userdel", "newusers", "groupadd", "groupmod", "groupdel", "groupmems"),
    *("gpasswd", "passwd", "chpasswd", "chgpasswd", "chage", "chfn", "chsh"),
)

_PROGRAMS: Final[dict[str, Callable[[str, list[str]], Fields]]] = {
    "sshd": sshd_columns,
    "sshd-session": sshd_columns,
    "sshd-auth": sshd_columns,
    "sudo": sudo_columns,
    "su": su_columns,
    "runuser": runuser_columns,
    "pkexec": pkexec_columns,
    "login": login_columns,
    "systemd-logind": logind_columns,
    "elogind": logind_columns,
    "cron": cron_columns,
    "CRON": cron_columns,
    "crond": cron_columns,
    "crontab": cron_columns,
    "unix_chkpwd": password_check_columns,
    **dict.fromkeys(_ACCOUNT_PROGRAMS, account_columns),
}

_NAME_SHOWN: Final = 64


def program_name(tag: str) -> str:
    """Return a tag without the folder, and without the PAM module that some write behind it."""
    name = tag.rpartition("/")[2] if "/" in tag else tag
    return name if name.startswith("(") else name.partition("(")[0]


def login_fields(tag: str, text: str, issues: list[str]) -> Fields:
    """Return the columns of one message.

    Parameters
        tag: the program's name as the log has it.
        text: its message, without anything of the log.
        issues: what was wrong is added here.

    Raises NotThisFormatError for programs that are not wanted; the framework refuses the record.
    """
    name = program_name(tag)
    said = text
    if not is_pam(text) and "(pam_" in tag:  # PAM before 0.99 wrote ``su(pam_unix)[1]: TEXT``
        said = f"{tag.rpartition('(')[2].removesuffix(')')}({name}:{_old_kind(text)}): {text}"
    read = pam_columns if is_pam(said) else _PROGRAMS.get(name)
    if read is None:
        raise NotWantedError(f"a line of {name[:_NAME_SHOWN]!r}, no program of logins")
    fields = read(said, issues)
    fields["event.dataset"] = Dataset.AUTH
    fields["event.provider"] = name
    fields["message"] = text
    return fields


def _old_kind(text: str) -> str:
    return "session" if text.startswith("session ") else "auth"
