"""How much memory the processes of each submission hold, seen from outside the jail through /proc. It stops nothing."""

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path


def held(pid: int) -> int:
    """Bytes of anonymous and shared memory that a process holds; of pages shared by n processes, the n-th part."""
    with contextlib.suppress(OSError, ValueError, KeyError):
        kilobytes = dict(line.split()[:2] for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
        return 1024 * (int(kilobytes["Pss_Anon:"]) + int(kilobytes["Pss_Shmem:"]))
    with contextlib.suppress(OSError, ValueError):  # it is ending, may not be looked into, or the kernel is old
        return os.sysconf("SC_PAGE_SIZE") * int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return 0


def of_server(server: int) -> int:
    """Bytes that the fork server holds: what its forks share at first."""
    return max(map(held, _family(server, _children())), default=0)


def of_submissions(server: int, keepers: Iterable[int]) -> dict[int, int]:
    """Bytes that all processes of each submission hold.

    Args:
        server: process id of the jail's outermost process.
        keepers: process ids, inside the jail, of the processes that keep submissions.

    Returns:
        Keeper -> bytes.
    """
    wanted, children = set(keepers), _children()
    found: dict[int, int] = {}
    for pid in _family(server, children):
        inside = _ids(pid)
        if len(inside) == 2 and inside[1] in wanted:  # a student's own processes have three ids or more, whatever they call themselves
            found[inside[1]] = sum(map(held, _family(pid, children)))
    return found


def _children() -> dict[int, list[int]]:
    """Process id -> those of its children, for all that this machine shows."""
    found: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                parent = Path(f"/proc/{entry}/stat").read_bytes().rpartition(b")")[2].split()[1]
                found.setdefault(int(parent), []).append(int(entry))
    return found


def _family(pid: int, children: dict[int, list[int]]) -> list[int]:
    """The descendants of a process."""
    found = list(children.get(pid, ()))
    for each in found:
        found += children.get(each, ())
    return found


def _ids(pid: int) -> list[int]:
    """A process's ids, from this namespace inwards; none if it is gone."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_bytes().splitlines():  # its name may be any bytes
            if line.startswith(b"NSpid:"):
                return [int(number) for number in line.split()[1:]]
    return []
