"""The course's site, built by Sphinx from the same sources as the notebooks; what stands on its pages is `pages`' and `notebook`'s business."""

import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from grading.site import links, pages
from grading.sources import ROOT, RUNS, SourceError, lectures, source_path, tracks, works

CONF = ROOT / "docs" / "site"
MARK = "objects.inv"  # every site that Sphinx built holds it


@dataclass
class Built:
    """What was built: how many pages, which notebooks stand without outputs, and the addresses of others that the pages name."""

    pages: int
    plain: list[str]
    external: list[str]


def build(out: Path, wanted: list[str] | None = None, runs: Path = RUNS) -> Built:
    """Build the site.

    Args:
        out: where; a site that stands there is replaced, anything else is left alone.
        wanted: names, numbers or paths of lectures, tracks and works; all if none is given.
        runs: where `python -m grading run` left its records.

    Raises:
        SourceError: what stands at `out` is no site, Sphinx warns of something, or a link leads nowhere. `out` is then as it was.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())) and not (out / MARK).is_file():
        raise SourceError(f"{out} holds something that is no site: name another folder.")
    names = sorted(str(source_path(name)) for name in wanted) if wanted else [*lectures(), *works(), *tracks()]
    with tempfile.TemporaryDirectory(prefix="site-") as temporary:
        source, made = Path(temporary) / "source", Path(temporary) / "made"
        notebooks = pages.write(source, names, runs)
        _sphinx(source, made)
        faults, external = links.check(made)
        if faults:
            raise SourceError("The site has links that lead nowhere:\n" + "\n".join(f"  - {fault}" for fault in faults[:40]))
        if out.exists():
            shutil.rmtree(out)
        out.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(made, out)
    plain = [one.name for one in notebooks if one.run is None and one.name not in works()]
    return Built(len(list(out.rglob("*.html"))), plain, external)


def _sphinx(source: Path, made: Path) -> None:
    """Sphinx, in a process of its own; every warning is a fault."""
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-c", str(CONF), "-d", str(source.parent / "doctrees")]
    command += ["-n", "-W", "--keep-going", "-q", "-j", "auto", "-D", f"html_extra_path={source / 'extra'}", str(source), str(made)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        said = [line.replace(f"{source}/", "") for line in done.stderr.splitlines() if line.strip()]
        told = [line for line in said if re.search(r"WARNING|ERROR|CRITICAL|Error|error", line)] or said
        raise SourceError("Sphinx does not build the site:\n" + "\n".join(f"  - {line}" for line in told[:40]))
