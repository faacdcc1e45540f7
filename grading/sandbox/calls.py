"""What a student's process may ask of the kernel: a seccomp filter, for what namespaces and resource limits leave open.

Runs inside the jail. A refused call fails like one without permission; nothing is killed. Python, NumPy and torch need none of them.
"""

import ctypes
import errno
import platform
import struct

_PR_SET_SECCOMP, _MODE_FILTER = 22, 2
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data, little-endian
_NEW_NAMESPACE = 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000
_FAMILIES = (1, 2, 10)  # unix, IPv4, IPv6: all of them shut in a namespace. vsock, to a virtual machine's host, is not

ARCHITECTURES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
_CLONE, _CLONE3, _SOCKET = (56, 220), (435, 435), (41, 198)
_REFUSED = {
    # memory that no process is seen to hold, and that outlives it
    "memfd_create": (319, 279), "memfd_secret": (447, 447), "shmget": (29, 194), "msgget": (68, 186), "semget": (64, 190),
    "mq_open": (240, 180),
    # file systems and namespaces of one's own: a new tmpfs has no size limit
    "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51),
    "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432),
    "fspick": (433, 433), "mount_setattr": (442, 442),
    # other processes, and the kernel's own machinery
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272), "pidfd_getfd": (438, 438),
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426), "io_uring_register": (427, 427), "add_key": (248, 217), "request_key": (249, 218),
    "keyctl": (250, 219), "syslog": (103, 116), "fanotify_init": (300, 262), "quotactl": (179, 60), "acct": (163, 89),
    # the processors of others
    "sched_setaffinity": (203, 122), "sched_setscheduler": (144, 119), "sched_setattr": (314, 274), "sched_setparam": (142, 118),
}  # fmt: skip


def program(machine: str) -> bytes:
    """The filter for one architecture, as the kernel reads it.

    Raises:
        KeyError: there is none for this machine.
    """
    architecture, column = ARCHITECTURES[machine]
    refuse, missing = _REFUSE | errno.EPERM, _REFUSE | errno.ENOSYS
    lines: list[tuple[int, int, int, int]] = []  # code, lines to skip if true, if false, operand

    def line(code: int, operand: int, true: int = 0, false: int = 0) -> None:
        lines.append((code, true, false, operand))

    line(_LOAD, _ARCHITECTURE)
    line(_EQUAL, architecture, true=1)
    line(_RETURN, refuse)
    line(_LOAD, _NUMBER)
    if machine == "x86_64":
        line(_AT_LEAST, 0x40000000, false=1)  # the other numbering of the same calls
        line(_RETURN, refuse)
    for numbers in _REFUSED.values():
        line(_EQUAL, numbers[column], false=1)
        line(_RETURN, refuse)
    line(_EQUAL, _CLONE3[column], false=1)  # its flags can't be seen from here; the C library falls back to clone
    line(_RETURN, missing)
    line(_EQUAL, _CLONE[column], false=3)
    line(_LOAD, _FIRST_ARGUMENT)
    line(_ANY_BIT, _NEW_NAMESPACE, true=0, false=len(_FAMILIES) + 4)
    line(_RETURN, refuse)
    line(_EQUAL, _SOCKET[column], false=len(_FAMILIES) + 2)
    line(_LOAD, _FIRST_ARGUMENT)
    for number, family in enumerate(_FAMILIES):
        line(_EQUAL, family, true=len(_FAMILIES) - number)
    line(_RETURN, _REFUSE | errno.EAFNOSUPPORT)
    line(_RETURN, _ALLOW)
    return b"".join(struct.pack("<HBBI", *each) for each in lines)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("lines", ctypes.c_char_p))


def restrict() -> None:
    """Refuse these calls to this process and everything that it starts, for good. Needs "no new privileges" to be set before.

    Raises:
        OSError: the kernel has no seccomp. KeyError: no filter for this machine.
    """
    code = program(platform.machine())
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(_Program(len(code) // 8, code)), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "the kernel accepts no seccomp filter")
