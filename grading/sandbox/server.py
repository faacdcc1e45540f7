"""The warm fork server, alone inside the jail: libraries are imported once, then each submission is a fork in namespaces of its own.

Started by `jail.command`; speaks JSON on the control socket whose number is its first argument. Imports only this folder.
"""

import contextlib
import ctypes
import importlib
import json
import os
import resource
import signal
import socket
import sys
import time

import calls
import student

_LIBC = ctypes.CDLL(None, use_errno=True)
_NEW = {"ns": 0x20000, "uts": 0x4000000, "ipc": 0x8000000, "user": 0x10000000, "pid": 0x20000000, "net": 0x40000000}
_NOSUID_NODEV, _PRIVATE = 2 | 4, 0x4000 | 0x40000
_CAPBSET_DROP, _AMBIENT, _AMBIENT_CLEAR, _NO_NEW_PRIVS = 24, 47, 4, 38


def _do(result: int, what: str) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def _mount(kind: str, target: str, options: str) -> None:
    _do(_LIBC.mount(kind.encode(), target.encode(), kind.encode(), _NOSUID_NODEV, options.encode()), f"mounting {target}")


def _unshare() -> None:
    """Leave every shared namespace; the next fork is process 1 of its own."""
    uid, gid = os.getuid(), os.getgid()
    _do(_LIBC.unshare(sum(_NEW.values())), "unshare")
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def _shut_in(limits: dict) -> None:
    """Private /tmp and /dev/shm, no view of other processes, no rights, bounded resources, few system calls."""
    os.sched_setaffinity(0, {int(limits["core"])})  # however many threads it starts, others keep their processors
    _do(_LIBC.mount(b"none", b"/", None, _PRIVATE, None), "private mounts")
    facts = {}
    for name in ("cpuinfo", "meminfo"):
        with open(f"/proc/{name}", "rb") as file:
            facts[name] = file.read()
    with open("/proc/self/maps", "rb") as file:  # a line for each library: threadpoolctl, and so scikit-learn, looks for them there
        facts["self/maps"] = b"".join({line.split()[-1]: line for line in file if b".so" in line}.values())
    with open("/proc/self/status") as file:  # what the server's libraries hold is not the student's
        libraries = next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmData:"))
    disk = int(limits["disk"])
    _mount("tmpfs", "/tmp", f"size={disk},nr_inodes=20000,mode=700,uid={os.getuid()}")
    _mount("tmpfs", "/dev/shm", f"size={disk},nr_inodes=2000,mode=700,uid={os.getuid()}")
    with contextlib.suppress(OSError):
        with open("/proc/self/oom_score_adj", "w") as file:  # where memory runs out in spite of all limits, a submission goes first
            file.write("1000")
    _mount("tmpfs", "/proc", "size=2m,nr_inodes=16,mode=755")  # hides every process, its memory and its environment
    if os.path.isdir("/dev/pts"):
        _mount("tmpfs", "/dev/pts", "size=4k,nr_inodes=2,mode=555")  # terminals would be a way from one submission to another
    os.mkdir("/proc/self")
    for name, text in facts.items():
        with open(f"/proc/{name}", "wb") as file:
            file.write(text)
    os.makedirs("/tmp/work")
    os.chdir("/tmp/work")
    for number in range(41):
        _LIBC.prctl(_CAPBSET_DROP, number, 0, 0, 0)
    _LIBC.prctl(_AMBIENT, _AMBIENT_CLEAR, 0, 0, 0)
    _do(_LIBC.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0), "no new privileges")
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    _do(_LIBC.capset(header, (ctypes.c_uint32 * 6)()), "dropping capabilities")
    for kind, value in (
        (resource.RLIMIT_DATA, libraries + int(limits["memory"])),
        (resource.RLIMIT_FSIZE, disk),
        (resource.RLIMIT_NPROC, int(limits["processes"])),
        (resource.RLIMIT_NOFILE, 128),
        (resource.RLIMIT_STACK, 64 * 2**20),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_CPU, int(limits["seconds"]) + 5),
    ):
        most = resource.getrlimit(kind)[1]
        value = value if most == resource.RLIM_INFINITY else min(value, most)
        resource.setrlimit(kind, (value, value))
    calls.restrict()


def _become_student(channel: socket.socket, limits: dict) -> None:
    """What the forked child does until it ends; never returns."""
    try:
        os.setsid()  # a signal to one's process group reaches its members outside of the namespace, too
        null = os.open(os.devnull, os.O_RDWR)
        for number in range(3):
            os.dup2(null, number)
        os.closerange(3, channel.fileno())
        os.closerange(channel.fileno() + 1, 4096)
        _shut_in(limits)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        sys.argv = [""]
        sys.path[:] = [entry for entry in sys.path if entry != os.path.dirname(os.path.abspath(__file__))]
        student.Student().serve(channel)
    except BaseException as problem:
        try:
            student.wire.send(channel, {"broken": f"{type(problem).__name__}: {problem}"})
        except BaseException:
            pass
    finally:
        os._exit(0)


def _spawn(channel: socket.socket, limits: dict, control: socket.socket) -> tuple[int, int, int]:
    """Fork a student. Returns the keeper's process id, the student's, and a pipe that closes when the student and all theirs are gone."""
    reading, writing = os.pipe()
    keeper = os.fork()
    if keeper == 0:
        try:
            os.setsid()
            control.close()
            os.close(reading)
            _LIBC.prctl(1, signal.SIGKILL, 0, 0, 0)  # end with the server
            _LIBC.prctl(4, 1, 0, 0, 0)  # dumpable again, or /proc/self belongs to root
            _unshare()
            child = os.fork()
            if child == 0:
                os.close(writing)
                _become_student(channel, limits)
            os.write(writing, str(child).encode())
            channel.close()
            os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
            os.close(writing)
            while True:  # the student's number in this namespace stays taken, so that the server can't stop another by mistake
                signal.pause()
        except BaseException as problem:
            try:
                os.write(writing, f"! {problem}".encode())
            except OSError:
                pass
        finally:
            os._exit(0)
    os.close(writing)
    told = os.read(reading, 500).decode()
    channel.close()
    if not told.isdigit():
        os.close(reading)
        os.waitpid(keeper, 0)
        raise OSError(told.removeprefix("! ") or "the fork ended at once")
    return keeper, int(told), reading


def warm(modules: list[str]) -> dict[str, str]:
    """Import what submissions will need; returns what could not be imported and why."""
    failed = {}
    for name in modules:
        try:
            importlib.import_module(name)
        except Exception as problem:
            failed[name] = f"{type(problem).__name__}: {problem}"
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
    return failed


def main() -> None:
    """Serve until the control socket closes."""
    control = socket.socket(fileno=int(sys.argv[1]))
    _LIBC.prctl(4, 0, 0, 0, 0)  # not dumpable: nobody of the same user may look into this process
    begin = time.perf_counter()
    failed = warm(sys.argv[2:])
    control.send(json.dumps({"ready": time.perf_counter() - begin, "failed": failed}).encode())
    running: dict[int, tuple[int, int, int]] = {}
    while True:
        data, handed, _, _ = socket.recv_fds(control, 65536, 1)
        if not data:
            break
        order = json.loads(data)
        try:
            if order["order"] == "spawn":
                running[order["id"]] = _spawn(socket.socket(fileno=handed[0]), order["limits"], control)
                answer = {"spawned": order["id"], "keeper": running[order["id"]][0]}
            else:
                keeper, child, gone = running.pop(order["id"])
                os.kill(child, signal.SIGKILL)  # process 1 of its namespace: all of them go with it
                os.read(gone, 1)
                os.close(gone)
                os.kill(keeper, signal.SIGKILL)
                os.waitpid(keeper, 0)
                answer = {"ended": order["id"]}
        except (OSError, KeyError) as problem:
            answer = {"problem": str(problem)}
        control.send(json.dumps(answer).encode())
    for _keeper, child, _gone in running.values():
        os.kill(child, signal.SIGKILL)
    os._exit(0)  # taking all libraries down in order would take seconds


if __name__ == "__main__":
    main()
