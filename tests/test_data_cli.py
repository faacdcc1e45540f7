"""The command `python -m helpers.data list | prefetch | verify`."""

import subprocess
import sys
from pathlib import Path

import pytest

from helpers.data import manifest
from helpers.data.__main__ import main
from tests.data_fixtures import entry, hippocampus_files, left_behind, md5, npz, serving, tar, write_manifest

CT = "test_files/CT_small.dcm"
SMALL, LARGE, CASES = npz(), npz((64, 64)), tar(hippocampus_files())


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty data directory, and a local server with "tiny" in two sizes and the archive "cases"; "gone" is in the manifest alone."""
    monkeypatch.setenv("TQDM_DISABLE", "1")
    monkeypatch.setenv(manifest.VARIABLE, str(tmp_path / "data"))
    monkeypatch.setattr(manifest, "cache_folder", lambda: tmp_path / "cache")
    with serving() as server:
        tiny = [
            {"path": "medmnist/tiny.npz", "size": 28, "md5": md5(SMALL), "bytes": len(SMALL), "addresses": [server.put("/28", SMALL)]},
            {"path": "medmnist/tiny_64.npz", "size": 64, "md5": md5(LARGE), "addresses": [server.put("/64", LARGE)]},
        ]
        cases = {"path": "T.tar", "unpack": "Task04_Hippocampus", "md5": md5(CASES), "addresses": [server.put("/T.tar", CASES)]}
        gone = {"path": "medmnist/gone.npz", "size": 28, "md5": md5(b""), "addresses": [server.address + "/gone"]}
        path = write_manifest(
            tmp_path / "manifest.yaml",
            cases=entry("decathlon", files=[cases], lectures=["05_segmentation"]),
            gone=entry(files=[gone], lectures=["07_label_efficient_learning"], stand_in="simulate"),
            tiny=entry(files=tiny, lectures=["04_classification"]),
            unused=entry(files=[{**gone, "path": "medmnist/unused.npz"}]),
            shipped=entry("packaged", options={"reader": "dicom", "package": "pydicom", "module": "pydicom.data", "file": CT}),
            weights=entry("weights", options={"reader": "weights", "package": "no-such-package", "file": "*.pth", "optional": True}),
            made=entry("simulated", options={"function": "survival"}),
        )
        monkeypatch.setattr(manifest, "manifest_path", lambda: path)
        yield tmp_path / "data"


def test_prefetch_a_lecture_by_name_or_number(place, capsys):
    assert main(["prefetch", "04_classification"]) == 0
    assert left_behind(place) == ["medmnist/tiny.npz"]
    assert main(["prefetch", "04", "--size", "64"]) == 0
    assert left_behind(place) == ["medmnist/tiny.npz", "medmnist/tiny_64.npz"]
    assert "[1/1] medmnist/tiny_64.npz" in capsys.readouterr().out


def test_prefetch_goes_on_after_a_failure(place, capsys):
    assert main(["prefetch"]) == 1
    out = capsys.readouterr().out
    assert "FAILED: medmnist/gone.npz could not be fetched" in out and "2 of 3 files are here, 1 could not be had" in out
    assert (place / "medmnist" / "tiny.npz").is_file() and (place / "Task04_Hippocampus" / "imagesTr").is_dir()
    assert "unused" not in out


def test_verify(place, capsys):
    assert main(["verify"]) == 0, "what was never fetched is not damaged"
    out = capsys.readouterr().out
    assert "all is well" in out and "not installed (optional)" in out and "shipped" in out
    main(["prefetch", "tiny", "cases"])
    assert main(["verify", "tiny", "cases"]) == 0
    (place / "medmnist" / "tiny.npz").write_bytes(SMALL[:-9] + b"damaged!!")
    next((place / "Task04_Hippocampus" / "labelsTr").glob("*.gz")).write_bytes(b"damaged")
    assert main(["verify"]) == 1
    out = capsys.readouterr().out
    assert out.count("damaged: ") == 2 and "its MD5 is not the manifest's; delete" in out and "2 not as the manifest says" in out
    assert main(["verify", "gone"]) == 1
    assert "missing" in capsys.readouterr().out


def test_list(place, capsys):
    assert main(["list"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line}
    assert "to fetch, has a stand-in" in lines["gone"] and "28/64" in lines["tiny"] and "lectures: 04" in lines["tiny"]
    assert "in pydicom" in lines["shipped"] and "simulated" in lines["made"]
    main(["prefetch", "tiny"])
    main(["list", "tiny"])
    assert "here" in capsys.readouterr().out.splitlines()[-3]


def test_unknown_word(place, capsys):
    assert main(["prefetch", "tinny"]) == 2
    assert "did you mean 'tiny'?" in capsys.readouterr().err


AS_A_COMMAND = """
import runpy, sys
sys.argv = ["helpers.data", "list", "breastmnist"]
try:
    runpy.run_module("helpers.data", run_name="__main__")
finally:
    print("imported:", [m for m in ("monai", "medmnist", "pandas", "nibabel", "pydicom") if m in sys.modules])
"""


def test_as_a_command_it_imports_nothing_slow():
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run([sys.executable, "-c", AS_A_COMMAND], capture_output=True, text=True, cwd=root)
    assert done.returncode == 0, done.stderr
    assert "breastmnist" in done.stdout and "CC BY 4.0" in done.stdout and "imported: []" in done.stdout
