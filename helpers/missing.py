"""What a notebook needs and this Python lacks, installed without touching what is there. No torch is imported here."""

import importlib
import importlib.util
import re
import subprocess
import sys
import tempfile
import tomllib
from importlib import metadata
from pathlib import Path

PACKAGE = "dlmia"
PROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"  # beside us in a clone; absent where pip installed us


def complete() -> list[str]:
    """Install the packages that are missing; the ones that are here, torch first of all, keep their version, whatever it is.

    Returns:
        What was installed; empty where all is there, which takes milliseconds.

    Raises:
        RuntimeError: pip could not; the message holds what it said and what to do.
    """
    lacking, kept = needs()
    if not lacking:
        return []
    print(f"Installing {', '.join(map(_name, lacking))} (once) ...", flush=True)
    with tempfile.TemporaryDirectory() as folder:  # the working directory may not be ours to write
        fixed = Path(folder, "kept.txt")
        fixed.write_text("\n".join(kept), encoding="utf-8")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--constraint", str(fixed), *lacking]
        done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    importlib.invalidate_caches()
    if done.returncode:
        raise RuntimeError(
            f"These packages are missing, and pip could not install them: {', '.join(lacking)}. Without a network it can't "
            f"(in Kaggle: Settings, Internet, on). It said:\n{(done.stderr or done.stdout).strip()[-1500:]}"
        )
    return lacking


def needs() -> tuple[list[str], list[str]]:
    """The course's requirements that are missing here, and "name==version" of those that are here."""
    lacking, kept = [], []
    for requirement in requirements():
        try:
            kept.append(f"{_name(requirement)}=={metadata.version(_name(requirement))}")
        except metadata.PackageNotFoundError:
            if importlib.util.find_spec(_name(requirement).replace("-", "_")) is None:
                lacking.append(requirement)
    return lacking, kept


def requirements() -> list[str]:
    """What a notebook needs, such as "monai>=1.5": from the project file of a clone, else as pip recorded it."""
    if PROJECT.is_file():
        return list(tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["dependencies"])
    return [text for text in metadata.requires(PACKAGE) or [] if "extra ==" not in text]


def _name(requirement: str) -> str:
    return re.match(r"[A-Za-z0-9._-]+", requirement)[0]
