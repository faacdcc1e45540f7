"""From a fresh clone to the first figure, each second accounted for: `python -m grading.measuring.first_minutes --help`.

Needs a network for the packages.
"""

import argparse
import json
import os
import signal
import subprocess
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import nbformat

from grading.measuring import measured
from grading.sources import NOTEBOOKS, ROOT, lectures

# What `make lab` prints before it does it, and what it is called here.
RECIPE = [
    ("-m venv", "make lab: an empty environment"),
    ("requirements.lock", "make lab: download and install the packages"),
    ("-e .", "make lab: install the course"),
    ("jupyter lab", "make lab: JupyterLab starts and answers"),
]
PATIENCE = 300  # seconds for one cell, or for the server


def measure(folder: Path, lecture: str) -> dict:
    """Clone, `make lab`, open a notebook, run it down to its first figure.

    Args:
        folder: an empty one, for the clone and for every cache; lecture: name of the lecture that is opened.
    """
    clone, steps, begin = folder / "dlmia", [], time.perf_counter()

    def step(what: str, since: float) -> float:
        steps.append({"what": what, "seconds": round(time.perf_counter() - since, 2)})
        return time.perf_counter()

    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    now = step("git clone (from this disk)", begin)
    with _lab(clone, folder) as (lines, environment):
        what = ""
        for line in lines:
            label = next((name for mark, name in RECIPE if mark in line), "")
            if label:
                now = step(what, now) if what else now
                what = label
            if what == RECIPE[-1][1]:
                break
        server = _server(Path(environment["JUPYTER_RUNTIME_DIR"]))
        now = step(what, now)
        cells = nbformat.read(clone / NOTEBOOKS.name / f"{lecture}.ipynb", as_version=4).cells
        codes = [cell for cell in cells if cell.cell_type == "code"]
        opening = next(number for number, cell in enumerate(codes) if "setup" in cell.metadata.get("tags", []))
        with _kernel(server, environment) as run:
            now = step("the kernel starts", now)
            for cell in codes[: opening + 1]:
                run(cell.source)
            now = step("the set-up cell, for the first time (torch is read from disk and compiled)", now)
            drawn = False
            for cell in codes[opening + 1 :]:
                drawn, _ = run(cell.source)
                if drawn:
                    break
            now = step("down to the first figure" if drawn else "to the end, without a figure", now)
        total = now - begin
        warm = _warm(server, environment, codes[: opening + 1])
    site = next((clone / ".venv" / "lib").glob("python*")) / "site-packages"
    return {
        "date": date.today().isoformat(), "lecture": lecture, "processors": os.cpu_count(), "load": round(os.getloadavg()[2], 1),
        "python": site.parent.name.removeprefix("python"), "packages": len(list(site.glob("*.dist-info"))),
        "disk_gb": round(sum(path.stat().st_size for path in site.rglob("*") if path.is_file() and not path.is_symlink()) / 1e9, 2),
        "seconds": round(total, 1), "steps": steps, **warm,
    }  # fmt: skip


def _warm(server: dict, environment: dict, opening: list) -> dict:
    """What the opening cells take in a new kernel once all is in the cache, and the import of torch in another."""
    with _kernel(server, environment) as run:
        _, idle = run("pass")
        since = time.perf_counter()
        for cell in opening:
            _, busy = run(cell.source)
        cells = time.perf_counter() - since
    with _kernel(server, environment) as run:
        since = time.perf_counter()
        run("import torch")
        torch = time.perf_counter() - since
    return {"warm_setup_seconds": round(cells, 2), "warm_setup_cpu_seconds": round(busy - idle, 2), "warm_torch_seconds": round(torch, 2)}


@contextmanager
def _lab(clone: Path, folder: Path):
    """`make lab` in a clone, with every cache empty and no browser: what it prints, line by line, and its environment."""
    places = {
        name: str(folder / name.lower()) for name in ("PIP_CACHE_DIR", "XDG_CACHE_HOME", "MPLCONFIGDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR")
    }
    own = ("PYTHONPATH", "VIRTUAL_ENV", "DLMIA_DATA", "DLMIA_RESULTS", "OMP_NUM_THREADS")
    environment = {key: value for key, value in os.environ.items() if key not in own} | places
    environment |= {"BROWSER": "true", "DLMIA_OFFLINE": "1", "DLMIA_RESULTS": str(folder / "results"), "IPYTHONDIR": str(folder / "ipython")}
    environment["PATH"] = os.pathsep.join(part for part in environment["PATH"].split(os.pathsep) if ".venv" not in part)
    make = subprocess.Popen(
        ["make", "lab"], cwd=clone, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    )
    try:
        yield iter(make.stdout.readline, ""), environment
    finally:
        os.killpg(make.pid, signal.SIGTERM)
        make.wait(30)


def _server(runtime: Path) -> dict:
    """Address and token of the server, as soon as it answers."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        for file in runtime.glob("jpserver-*.json"):
            try:
                server = json.loads(file.read_text(encoding="utf-8"))
                _ask(server, "api/status")
                return server
            except (OSError, ValueError):
                pass
        time.sleep(0.05)
    raise RuntimeError("JupyterLab does not answer")


def _ask(server: dict, path: str, method: str = "GET", content: dict | None = None) -> dict:
    body = json.dumps(content).encode() if content is not None else None
    request = urllib.request.Request(server["url"] + path, body, {"Authorization": f"token {server['token']}"}, method=method)
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        return json.loads(answer.read() or "{}")


@contextmanager
def _kernel(server: dict, environment: dict):
    """A kernel that the server starts, as for a tab; call it with code: did that draw, and how much processor time has the kernel had so far?"""
    from jupyter_client import BlockingKernelClient

    made = _ask(server, "api/kernels", "POST", {"name": "python3"})
    client = BlockingKernelClient(connection_file=str(Path(environment["JUPYTER_RUNTIME_DIR"]) / f"kernel-{made['id']}.json"))
    client.load_connection_file()
    client.start_channels(hb=False)  # a heart that is a second late would be called dead
    client.wait_for_ready(PATIENCE)

    def run(code: str) -> tuple[bool, float]:
        drawn = []

        def look(message: dict) -> None:
            drawn.extend(kind for kind in message["content"].get("data", {}) if kind.startswith("image/"))

        clock = {"processor": "__import__('time').process_time()"}
        reply = client.execute_interactive(code, timeout=PATIENCE, output_hook=look, user_expressions=clock)
        told = reply["content"].get("user_expressions", {}).get("processor", {}).get("data", {}).get("text/plain", "nan")
        return bool(drawn), float(told)

    try:
        yield run
    finally:
        client.stop_channels()
        _ask(server, f"api/kernels/{made['id']}", "DELETE")


def main() -> None:
    """Measure and print one JSON line."""
    parser = argparse.ArgumentParser(prog="python -m grading.measuring.first_minutes", description=__doc__)
    parser.add_argument("--lecture", default=lectures()[0], help="the notebook that is opened (default: the first)")
    parser.add_argument("--record", action="store_true", help="take it into grading/measuring/measured.json, and write README's table anew")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="first-minutes-", ignore_cleanup_errors=True) as folder:
        row = measure(Path(folder), options.lecture)
    print(json.dumps(row, indent=1))
    if options.record:
        from grading.measuring.readme import stale

        measured.save({**measured.load(), "first_minutes": row})
        stale(write=True)


if __name__ == "__main__":
    main()
