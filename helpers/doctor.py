"""What works on this machine, in one screen, and how to mend the rest. It changes nothing and needs no torch to say that torch is missing."""

import importlib
import importlib.metadata
import importlib.util
import os
import platform
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

OLDEST = (3, 11)
MEMORY_GIB, DISK_GIB = 4.0, 3.0  # a lecture's budget; environment and data of the course
SECONDS = 3.0  # to wait for the network
NEEDED = {"torch": "2.6", "torchvision": "0.21", "monai": "1.5", "numpy": "2.0", "medmnist": "3.0.2", "nibabel": "5.3", "ipywidgets": "8.1"}
LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))  # of control groups, version 2 and 1
MARKS = {"ok": "ok  ", "note": "note", "mend": "MEND"}


@dataclass(frozen=True)
class Finding:
    """One line: "ok", "note" (a lecture runs without) or "mend" (it doesn't); what was looked at, what was found, and what to do."""

    state: str
    what: str
    found: str
    todo: str = ""


def python() -> Finding:
    here = platform.python_version()
    if sys.version_info < OLDEST:
        return Finding("mend", "Python", here, f"make a new environment with Python {'.'.join(map(str, OLDEST))} or newer")
    return Finding("ok", "Python", f"{here}, {sys.executable}")


def packages() -> Finding:
    missing, old, found = [], [], []
    for name, least in NEEDED.items():
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
            continue
        found.append(f"{name} {version}")
        if _numbers(version) < _numbers(least):
            old.append(f"{name} {version} (needs {least})")
    if missing:
        cure = "install the requirements as the README says; in Colab run the set-up cell"
        return Finding("mend", "packages", f"missing: {', '.join(missing)}", cure)
    if old:
        return Finding("note", "packages", f"older than tested: {', '.join(old)}", "a lecture may still run; a fresh environment is the cure")
    return Finding("ok", "packages", ", ".join(found[:3]) + f" and {len(found) - 3} more")


def device() -> Finding:
    try:
        import torch
    except ImportError as problem:
        return Finding("mend", "device", f"torch can't be imported: {problem}", "install the packages first")

    if torch.cuda.is_available():
        return Finding("ok", "device", f"CUDA, {torch.cuda.get_device_name()}; profile gpu is for you")
    if torch.backends.mps.is_available():
        return Finding("ok", "device", "Apple's MPS")
    return Finding("ok", "device", f"CPU, {os.cpu_count()} cores, {torch.get_num_threads()} threads: enough for every lecture")


def memory() -> Finding:
    total, whose = _memory_gib()
    if total is None:
        return Finding("note", "memory", "unknown on this system", f"a lecture takes at most {MEMORY_GIB:g} GiB")
    found = f"{total:.1f} GiB{whose}"
    if total < MEMORY_GIB:
        return Finding("note", "memory", found, f'a lecture takes up to {MEMORY_GIB:g} GiB: close other programs, or set PROFILE = "ci"')
    return Finding("ok", "memory", found)


def data() -> Finding:
    from helpers.data import fetch
    from helpers.data.core import DataError
    from helpers.data.manifest import cards, places

    try:
        known = [card for card in cards().values() if card.lectures and card.files]
    except DataError as problem:
        return Finding("mend", "data", str(problem), "install the course's package again")
    here = [card.name for card in known if any(fetch.find(file.unpack or file.path) for file in card.files)]
    where = ", ".join(str(place) for place in places())
    if len(here) == len(known):
        return Finding("ok", "data", f"all {len(known)} public sets that lectures use, in {where}")
    cure = "they come when needed; all at once: python -m helpers.data prefetch"
    return Finding("note", "data", f"{len(here)} of {len(known)} public sets, in {where}", cure)


def network() -> Finding:
    from helpers.data.manifest import cards

    hosts = {urlsplit(address).hostname for card in cards().values() for file in card.files for address in file.addresses}
    reached = [host for host in sorted(filter(None, hosts)) if _answers(host)]
    if not reached:
        return Finding("note", "network", "none of the hosts of data answers", "lectures run on simulated images, and say so")
    return Finding("ok", "network", f"{len(reached)} of {len(hosts)} hosts of data answer")


def disk() -> Finding:
    from helpers.data.manifest import places

    place = next((folder for folder in (places()[0], *places()[0].parents) if folder.exists()), Path.home())
    free = shutil.disk_usage(place).free / 2**30
    writable = os.access(place, os.W_OK)
    if free < DISK_GIB:
        return Finding("note", "disk", f"{free:.1f} GiB free at {place}", f"all data take up to {DISK_GIB:g} GiB: name another folder in DLMIA_DATA")
    return Finding("ok", "disk", f"{free:.0f} GiB free at {place}{'' if writable else ' (read only)'}")


def sandbox() -> Finding:
    cure = "only who grades others needs it: Linux and `apt install bubblewrap`"
    program = shutil.which("bwrap") if platform.system() == "Linux" else None
    if not program:
        return Finding("note", "sandbox", "no bubblewrap", cure)
    tried = subprocess.run([program, "--unshare-all", "--ro-bind", "/", "/", "true"], capture_output=True, text=True, timeout=30)
    if tried.returncode:
        said = " ".join(tried.stderr.split())[:100]
        cure = "only who grades others needs it: allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone=1, or AppArmor's userns)"
        return Finding("note", "sandbox", f"bubblewrap is here, but makes no jail: {said}", cure)
    return Finding("ok", "sandbox", "bubblewrap makes a jail: submissions can be graded on this machine")


def report(offline: bool = False) -> tuple[str, bool]:
    """The whole screen, and whether a lecture can run.

    Args:
        offline: don't try the network.
    """
    checks: list[Callable[[], Finding]] = [python, packages, device, memory, data, *([] if offline else [network]), disk, sandbox]
    found = []
    for check in checks:
        try:
            found.append(check())
        except Exception as problem:  # one that breaks must not hide the others
            found.append(Finding("mend", check.__name__, f"{type(problem).__name__}: {problem}", "install the requirements as the README says"))
    lines = [f"{MARKS[one.state]}  {one.what:9} {one.found}" + (f"\n                {one.todo}" if one.todo else "") for one in found]
    sound = all(one.state != "mend" for one in found)
    lines.append("Lectures run here." if sound else "Mend the lines marked MEND first.")
    return "\n".join(lines), sound


def _numbers(version: str) -> tuple[int, ...]:
    """The leading numbers of a version: 2.14.1+cpu is (2, 14, 1)."""
    return tuple(int(part) for part in version.split("+")[0].split(".") if part.isdigit())


def _memory_gib() -> tuple[float | None, str]:
    """What this process may use, and whose word that is: a container's limit (as on Binder) counts, not the memory of its host."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        try:
            total = importlib.import_module("psutil").virtual_memory().total  # Windows; ipykernel brings it
        except ImportError:
            return None, ""
    for limit in LIMITS:
        try:
            number = int(limit.read_text(encoding="ascii"))
        except (OSError, ValueError):  # no such limit, or "max"
            continue
        if number < total:
            return number / 2**30, ", the limit of this container"
    return total / 2**30, ""


def _answers(host: str) -> bool:
    try:
        with socket.create_connection((host, 443), SECONDS):
            return True
    except OSError:
        return False
