"""The kernel's functions by name, and the act that a call of each is.

In goes a function's name as Tetragon reports it, out comes an action. Separate because it is a
table: the hooks of Tetragon's example policies (cilium/tetragon examples/tracingpolicy) and the LSM
hooks (linux/lsm_hook_defs.h), by the side of the system calls, which other tools name as well.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from ingest.formats.seen import Action
from ingest.formats.syscall_acts import ACTS
from ingest.formats.syscall_acts import OPENING as OPENING_CALLS

OPENING: Final = frozenset(("open", "openat", "do_sys_open", "creat"))
"""Those whose number behind the path holds flags of open(2), or that need none: creat(2)."""

_BY_ACTION: Final[dict[Action, str]] = {
    Action.FILE_OPEN: """
        do_sys_open do_sys_openat2 do_filp_open vfs_open fd_install file_open file_post_open
        file_permission mmap_file read pread64 readv vfs_read
        """,
    Action.FILE_MODIFY: "vfs_write path_truncate file_truncate",
    Action.FILE_CREATE: """
        path_mkdir inode_mkdir path_mknod inode_mknod inode_create vfs_create vfs_mkdir vfs_mknod
        """,
    Action.FILE_DELETE: """
        do_unlinkat do_rmdir vfs_unlink vfs_rmdir path_unlink inode_unlink path_rmdir inode_rmdir
        """,
    Action.FILE_RENAME: "do_renameat2 vfs_rename path_rename inode_rename",
    Action.FILE_LINK: """
        do_linkat do_symlinkat vfs_link vfs_symlink path_link inode_link path_symlink inode_symlink
        """,
    Action.FILE_ATTRIBUTES: """
        path_chmod path_chown inode_setattr inode_setxattr inode_removexattr notify_change
        """,
    Action.NETWORK_CONNECT: """
        socket_connect tcp_connect tcp_v4_connect tcp_v6_connect inet_stream_connect
        ip4_datagram_connect ip6_datagram_connect unix_stream_connect udp_sendmsg udpv6_sendmsg
        socket_sendmsg
        """,
    Action.NETWORK_ACCEPT: "socket_accept inet_csk_accept inet_accept",
    Action.NETWORK_LISTEN: "socket_listen socket_bind inet_csk_listen_start inet_listen inet_bind",
    Action.PROCESS_START: """
        bprm_check bprm_check_security bprm_creds_for_exec bprm_creds_from_file
        bprm_committing_creds bprm_committed_creds
        """,
    Action.MOUNT: "sb_mount do_mount path_mount do_move_mount",
    Action.NAMESPACE_CHANGE: """
        create_user_ns userns_create switch_task_namespaces create_new_namespaces
        """,
    Action.PTRACE: "ptrace_access_check ptrace_traceme ptrace_attach",
    Action.CREDENTIALS_CHANGE: """
        commit_creds task_fix_setuid task_fix_setgid task_fix_setgroups
        """,
    Action.CAPABILITY_USE: "capable cap_capable",
    Action.MODULE_LOAD: """
        do_init_module load_module kernel_read_file kernel_load_data kernel_module_request
        """,
    Action.BPF_LOAD: "bpf_check bpf_prog_load bpf_prog_alloc",
}
_ACTIONS: Final = {
    **dict.fromkeys(OPENING_CALLS, Action.FILE_OPEN),
    **ACTS,
    **{name: action for action, names in _BY_ACTION.items() for name in names.split()},
}
_ARCHITECTURES: Final = ("__x64_", "__arm64_", "__ia32_", "__s390x_", "__se_")


def act_of(bare: str | None) -> Action | None:
    """Return the act that a call of the function is, None for one that is not in the table."""
    return _ACTIONS.get(bare) if bare else None


@lru_cache(1024)
def bare_name(name: str) -> tuple[str, str | None]:
    """Return a function's name without its prefixes, and the system call if it is one.

    A tracepoint is named ``subsystem/event``: that of a system call's entry is the call.
    """
    for prefix in _ARCHITECTURES:
        name = name.removeprefix(prefix)
    if name.startswith("sys_"):
        return name[4:], name[4:]
    if name.startswith("syscalls/"):
        call = name.removeprefix("syscalls/sys_")
        entered = call.removeprefix("enter_")
        return (entered, entered) if entered != call else (call, call.removeprefix("exit_"))
    return name.removeprefix("security_"), None
