"""Messages that programs send to the audit system in, logins, commands and changes of accounts out.

Separate because they have fields of their own: PAM's and sshd's accounts and addresses, sudo's
command, useradd's groups. ``uid`` is whose program sends the message, mostly root's; whose login it
is stands in ``acct``.

Sources: audit-userspace lib/audit_logging.c and docs of linux-audit/audit-documentation ("User
Login Lifecycle Events", "User Account Lifecycle Events"), record types of lib/msg_typetab.h;
openssh-portable audit-linux.c, shadow-maint/shadow lib/audit_help.c, sudo plugins/sudoers/
linux_audit.c; samples of elastic/go-libaudit aucoalesce/testdata.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ingest.formats.auditd_fields import account, set_id
from ingest.formats.leftovers import leftovers
from ingest.formats.login_event import KEY, METHOD, REASON, SERVICE, TERMINAL
from ingest.formats.seen import Action

if TYPE_CHECKING:
    from ingest.formats.auditd_fields import Values
    from ingest.formats.seen import Fields

_BY_ACT: Final = {
    Action.LOGIN: "USER_LOGIN",
    Action.LOGOUT: "USER_LOGOUT",
    Action.AUTHENTICATE: "USER_AUTH USER_ACCT USER_ERR",
    Action.SESSION_START: "USER_START",
    Action.SESSION_END: "USER_END",
    Action.RUN_AS: "USER_CMD",
    Action.SWITCH_USER: "CHUSER_ID CHGRP_ID",
    Action.ACCOUNT_CREATE: "ADD_USER",
    Action.ACCOUNT_DELETE: "DEL_USER",
    Action.ACCOUNT_CHANGE: "USER_MGMT USER_CHAUTHTOK ACCT_LOCK ACCT_UNLOCK ROLE_ASSIGN ROLE_REMOVE "
    "USER_ROLE_CHANGE",
    Action.GROUP_CHANGE: "ADD_GROUP DEL_GROUP GRP_MGMT GRP_CHAUTHTOK",
    Action.AUDIT_CHANGE: "DAEMON_START DAEMON_END DAEMON_ABORT DAEMON_CONFIG DAEMON_ROTATE "
    "DAEMON_RESUME DAEMON_ERR DAEMON_RECONFIG DAEMON_ACCEPT DAEMON_CLOSE USYS_CONFIG",
    Action.BOOT: "SYSTEM_BOOT",
    Action.SHUTDOWN: "SYSTEM_SHUTDOWN",
    Action.ALERT: "USER_AVC USER_SELINUX_ERR ANOM_LOGIN_FAILURES ANOM_LOGIN_TIME "
    "ANOM_LOGIN_SESSIONS ANOM_LOGIN_ACCT ANOM_LOGIN_LOCATION ANOM_RBAC_FAIL "
    "ANOM_RBAC_INTEGRITY_FAIL ANOM_MK_EXEC ANOM_ACCESS_FS ANOM_EXEC ANOM_ADD_ACCT ANOM_DEL_ACCT "
    "ANOM_MOD_ACCT ANOM_ROOT_TRANS ANOM_LOGIN_SERVICE",
    Action.OTHER: "CRED_ACQ CRED_DISP CRED_REFR SERVICE_START SERVICE_STOP SYSTEM_RUNLEVEL "
    "USER_TTY USER CRYPTO_KEY_USER CRYPTO_SESSION CRYPTO_IPSEC_SA SOFTWARE_UPDATE VIRT_CONTROL "
    "VIRT_RESOURCE VIRT_MACHINE_ID TEST TRUSTED_APP FS_RELABEL LABEL_OVERRIDE USER_DEVICE "
    "USER_MAC_POLICY_LOAD USER_MAC_CONFIG_CHANGE",
}
USER_ACTIONS: Final = {name: act for act, names in _BY_ACT.items() for name in names.split()}
"""Type of a message -> what it tells."""

_LOGINS: Final = frozenset(
    {
        *("USER_LOGIN", "USER_LOGOUT", "USER_AUTH", "USER_ACCT", "USER_ERR", "USER_START"),
        *("USER_END", "CRED_ACQ", "CRED_DISP", "CRED_REFR", "CRYPTO_KEY_USER", "CRYPTO_SESSION"),
    }
)
_ACCOUNTS: Final = frozenset(
    {Action.ACCOUNT_CREATE, Action.ACCOUNT_CHANGE, Action.ACCOUNT_DELETE, Action.GROUP_CHANGE}
)
_GROUP_LINES: Final = frozenset({"ADD_GROUP", "DEL_GROUP", "GRP_MGMT", "GRP_CHAUTHTOK"})
_BECOMING: Final = frozenset({"su", "sudo", "runuser", "pkexec", "doas", "sg", "newgrp"})
"""Programs by which somebody acts as another account: ``acct`` is that one."""

_INVALID: Final = "(invalid user)"
_METHODS: Final = {"password": "password", "pubkey": "publickey", "pubkey_auth": "publickey"}
_TOLD: Final = frozenset(
    {
        *("pid", "ppid", "uid", "auid", "ses", "subj", "comm", "exe", "res", "acct", "addr", "msg"),
        *("hostname", "terminal", "tty", "cmd", "cwd", "key", "grp", "data", "new_group"),
    }
)
"""Fields that have columns; and keystrokes (``data``), which hold passwords and no shape."""


def fill_user(kind: str, values: Values, fields: Fields) -> None:
    """Fill action and columns of one message; who sends it is filled already."""
    action = USER_ACTIONS.get(kind, Action.OTHER)
    if kind == "USER_MGMT" and "grp" in values:
        action = Action.GROUP_CHANGE
    fields["event.action"] = action
    if kind in _LOGINS:
        _fill_login(values, fields)
    elif action in _ACCOUNTS or action is Action.SWITCH_USER:
        _fill_account(kind, values, fields)
    elif kind == "USER_CMD":
        fields["process.command_line"] = values.get("cmd")
        fields["process.working_directory"] = values.get("cwd")
        fields[SERVICE] = _program(values) or "sudo"
    elif kind == "SOFTWARE_UPDATE":
        _fill_package(values, fields)
    if terminal := values.get("terminal"):
        fields[TERMINAL] = terminal
    _fill_peer(values, fields)
    rest = {key: text for key, text in values.items() if key not in _TOLD and not key.isupper()}
    fields["trailwarden.tool.fields"] = leftovers(rest)


def _fill_login(values: Values, fields: Fields) -> None:
    """Whose login it is; ``uid`` is the server's own then."""
    program, name = _program(values), values.get("acct")
    fields[SERVICE] = program
    fields[METHOD] = _METHODS.get(values.get("op", ""))
    fields[KEY] = values.get("fp") if values.get("op") == "pubkey" else None
    if name == _INVALID:
        name, fields[REASON] = None, "invalid user"
    if program in _BECOMING:
        fields["user.target.name"] = name
        return
    fields["user.id"] = set_id(values.get("id"))
    fields["user.name"] = name or account(values.get("ID"))


def _fill_account(kind: str, values: Values, fields: Fields) -> None:
    name = values.get("acct") or account(values.get("ID")) or values.get("id")
    group = values.get("grp") or values.get("new_group")
    if kind in _GROUP_LINES and group is None:
        fields["group.name"] = name
        return
    fields["group.name"] = group
    fields["user.target.name"] = name


def _fill_package(values: Values, fields: Fields) -> None:
    if name := values.get("sw"):
        fields["package.name"] = [name]
    fields["trailwarden.package.manager"] = values.get("sw_type")
    fields["trailwarden.package.action"] = values.get("op")


def _fill_peer(values: Values, fields: Fields) -> None:
    address, name = values.get("addr"), values.get("hostname")
    if address:
        is_address = set(address) <= _ADDRESS and ("." in address or ":" in address)
        fields["source.ip" if is_address else "source.domain"] = address
    if name and name != address and not (set(name) <= _ADDRESS and ":" in name):
        fields["source.domain"] = name


_ADDRESS: Final = frozenset("0123456789abcdefABCDEF.:")


def _program(values: Values) -> str | None:
    path = values.get("exe", "")
    return path.rpartition("/")[2] or None
