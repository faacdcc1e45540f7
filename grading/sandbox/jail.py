"""The outer wall: the bubblewrap command in which the fork server lives. It holds what a submission may read, and nothing else."""

import os
import platform
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
NOBODY = 65534
INSIDE = Path("/jail")
MACHINES = ("x86_64", "aarch64")  # those that `calls` has a filter for


class JailError(RuntimeError):
    """This machine can't jail a submission; the message says what to install."""


def requirements() -> list[str]:
    """What is missing on this machine for a jail, a sentence each; an empty list means that it can jail."""
    missing = []
    if sys.platform != "linux":
        return ["Grading in a jail needs Linux: grade on a Linux machine, in WSL 2 or in a Linux container."]
    if platform.machine() not in MACHINES:
        missing.append(f"Grading in a jail needs one of the processors {' and '.join(MACHINES)}, and this is {platform.machine()}.")
    if shutil.which("bwrap") is None:
        missing.append("bubblewrap is missing: `apt install bubblewrap` or `dnf install bubblewrap`.")
    if os.getuid() == 0 and shutil.which("setpriv") is None:
        missing.append("setpriv is missing, which root needs to give up its rights: `apt install util-linux`.")
    limit = Path("/proc/sys/user/max_user_namespaces")
    if limit.exists() and limit.read_text().strip() == "0":
        missing.append("User namespaces are switched off: `sysctl user.max_user_namespaces=15000`.")
    return missing


def _parents(paths: list[Path]) -> list[str]:
    """Directories above the bound paths, to be made readable: bubblewrap would make them for root alone."""
    above = {parent for path in paths for parent in path.parents if parent != Path("/")}
    skip = {Path("/usr"), *Path("/usr").parents}
    made = []
    for folder in sorted(above - skip):
        made += ["--perms", "0755", "--dir", str(folder)]
    return made


def _system() -> list[str]:
    """The read-only operating system: programs and libraries, no configuration that could hold a secret."""
    options = ["--ro-bind", "/usr", "/usr", "--perms", "0755", "--dir", "/etc"]
    for name in ("bin", "sbin", "lib", "lib32", "lib64"):
        path = Path("/") / name
        if path.is_symlink():
            options += ["--symlink", os.readlink(path), str(path)]
        elif path.is_dir():
            options += ["--ro-bind", str(path), str(path)]
    for name in ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "fonts", "localtime"):
        options += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    return options


def command(control: int, modules: list[str], data: Path | None = None) -> list[str]:
    """The command that starts the fork server in its jail.

    Args:
        control: number of the inherited control socket.
        modules: what the server imports before the first fork.
        data: the folder of data sets, readable in the jail; None for none.

    Raises:
        JailError: something that jailing needs is missing here.
    """
    missing = requirements()
    if missing:
        raise JailError("This machine can't jail submissions, so nothing is graded. " + " ".join(missing))
    python = Path(sys.base_prefix).resolve()
    # Places in the jail do not depend on where the checkout is, which may lie under /tmp; only the base interpreter stays where it was.
    readable = {Path(sys.prefix).absolute(): INSIDE / "venv", HERE: INSIDE / "server"}
    readable |= {ROOT / name: INSIDE / "course" / name for name in ("helpers", "data_manifest.yaml")}
    if python != Path("/usr"):
        readable[python] = python
    if data is not None and data.is_dir():
        readable[data.resolve()] = INSIDE / "data"
    options = ["bwrap", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", "--hostname", "jail"]
    options += ["--die-with-parent", "--new-session", "--clearenv", *_system(), *_parents(list(readable.values()))]
    for path, place in readable.items():
        options += ["--ro-bind", str(path), str(place)]
    options += ["--proc", "/proc", "--dev", "/dev", "--perms", "1777", "--tmpfs", "/tmp"]
    options += ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/tmp"]
    environment = {
        "PATH": f"{INSIDE}/venv/bin:/usr/bin:/bin", "PYTHONPATH": f"{INSIDE}/course", "HOME": "/tmp",
        "USER": "student", "LOGNAME": "student", "LANG": "C.UTF-8",
        "MPLBACKEND": "agg", "MPLCONFIGDIR": "/tmp", "OMP_NUM_THREADS": "1", "DLMIA_OFFLINE": "1", "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0", "TQDM_DISABLE": "1", "CUDA_VISIBLE_DEVICES": "",
    }  # fmt: skip
    if data is not None:
        environment["DLMIA_DATA"] = str(INSIDE / "data")
    for name, value in environment.items():
        options += ["--setenv", name, value]
    if os.getuid() == 0:  # root inside would stay root on its files: become nobody instead
        options += ["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", "--cap-add", "CAP_SETPCAP"]
        drop = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        options += [*drop, "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"]
    else:
        options += ["--cap-drop", "ALL"]
    return [*options, str(INSIDE / "venv" / "bin" / "python"), "-s", str(INSIDE / "server" / "server.py"), str(control), *modules]
