"""The doctor tells what works and what to do about the rest, in one screen, whatever is broken."""

import shutil
import subprocess
import sys
from collections import namedtuple

import pytest

from helpers import doctor
from helpers.__main__ import main
from helpers.data import manifest

Usage = namedtuple("Usage", "total used free")


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.setenv(manifest.VARIABLE, str(tmp_path))
    monkeypatch.setattr(manifest, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(doctor, "SECONDS", 0.01)
    return tmp_path


def test_a_sound_machine_is_called_so_in_one_screen(capsys):
    assert main(["doctor", "--offline"]) == 0
    said = capsys.readouterr().out
    assert said.rstrip().endswith("Lectures run here.") and "MEND" not in said
    assert len(said.splitlines()) <= 24 and all(word in said for word in ("Python", "torch", "CPU", "GiB", "prefetch", "disk"))


def test_without_a_network_lectures_still_run(capsys):
    assert main(["doctor"]) == 0
    assert "none of the hosts of data answers" in capsys.readouterr().out


def test_what_is_missing_is_named_with_its_cure(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "NEEDED", {"torch": "2.6", "no-such-package": "1.0"})
    assert main(["doctor", "--offline"]) == 1
    said = capsys.readouterr().out
    assert "MEND  packages  missing: no-such-package" in said and "README" in said and "Mend the lines" in said


def test_what_is_old_small_or_full_is_a_note(monkeypatch):
    monkeypatch.setattr(doctor, "NEEDED", {"torch": "99.0"})
    monkeypatch.setattr(doctor, "_memory_gib", lambda: (2.0, ""))
    monkeypatch.setattr(shutil, "disk_usage", lambda _place: Usage(10, 9, 2**30))
    found = [doctor.packages(), doctor.memory(), doctor.disk()]
    assert [one.state for one in found] == ["note"] * 3
    assert "needs 99.0" in found[0].found and "ci" in found[1].todo and "DLMIA_DATA" in found[2].todo
    assert doctor._numbers("2.14.1+cpu") == (2, 14, 1) > doctor._numbers("2.6")


def test_a_container_has_what_its_limit_says(monkeypatch, place):
    (place / "memory.max").write_text("2147483648\n")
    monkeypatch.setattr(doctor, "LIMITS", (place / "none", place / "memory.max"))
    found = doctor.memory()
    assert found.state == "note" and found.found == "2.0 GiB, the limit of this container" and "ci" in found.todo
    (place / "memory.max").write_text("max\n")
    assert "container" not in doctor.memory().found


def test_a_jail_that_does_not_close_is_told(monkeypatch, place):
    program = place / "bwrap"
    program.write_text("#!/bin/sh\necho 'bwrap: setting up uid map: Permission denied' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setattr(doctor.platform, "system", lambda: "Linux")
    monkeypatch.setattr(doctor.shutil, "which", lambda _name: str(program))
    found = doctor.sandbox()
    assert found.state == "note" and "Permission denied" in found.found and "user namespaces" in found.todo
    program.write_text("#!/bin/sh\nexit 0\n")
    assert doctor.sandbox().state == "ok"
    monkeypatch.setattr(doctor.shutil, "which", lambda _name: None)
    assert "apt install bubblewrap" in doctor.sandbox().todo


def test_an_old_python_is_told(monkeypatch):
    monkeypatch.setattr(doctor.sys, "version_info", (3, 9, 1))
    assert doctor.python().state == "mend" and "3.11" in doctor.python().todo


def test_a_check_that_breaks_hides_no_other(monkeypatch):
    def broken():
        raise ImportError("libtorch.so is cut")

    monkeypatch.setattr(doctor, "device", broken)
    text, sound = doctor.report(offline=True)
    assert not sound and "ImportError: libtorch.so is cut" in text and "disk" in text


def test_data_that_are_here_are_counted(place):
    before = doctor.data().found
    (place / "medmnist").mkdir()
    (place / "medmnist" / "pneumoniamnist.npz").write_bytes(b"x")
    after = doctor.data().found
    assert int(after.split()[0]) == int(before.split()[0]) + 1


def test_it_speaks_without_torch():
    code = "import sys; sys.modules['torch'] = None; from helpers.__main__ import main; main(['doctor', '--offline'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0 and "MEND  device" in done.stdout and "Mend the lines" in done.stdout, done.stderr
