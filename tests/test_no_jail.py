"""No jail, no grading: where a submission can't be shut in, nothing is graded, and one sentence says what to do."""

import os
import shutil

import pytest

from grading.marking.classroom import autograde
from grading.sandbox import JailError, Sandbox, jail, requirements
from tests import classes


@pytest.fixture
def course(tmp_path):
    of = classes.lecture("96_light")
    return classes.course(tmp_path / "course", of, {"anna": classes.answered(of, classes.right(of))})


def nothing_was_graded(course):
    return not any((course / name).exists() for name in ("grades.csv", "autograded", ".grading"))


def test_without_bubblewrap_nothing_is_graded(course, tmp_path, monkeypatch):
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert "apt install bubblewrap" in requirements()[0]
    with pytest.raises(JailError, match="nothing is graded.*apt install bubblewrap"):
        autograde(course, "96_light")
    with pytest.raises(JailError, match="apt install bubblewrap"):
        Sandbox([])
    assert nothing_was_graded(course)


def test_with_a_bubblewrap_that_fails_nothing_is_graded(course, tmp_path, monkeypatch):
    fake = tmp_path / "bin" / "bwrap"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\necho 'bwrap: setting up uid map: Permission denied' >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(JailError, match="nothing is graded.*Permission denied"):
        autograde(course, "96_light")
    assert nothing_was_graded(course)


def test_where_a_submission_can_t_be_shut_in_nothing_is_graded(course, tmp_path, monkeypatch):
    """The jail itself starts, but what it does for each submission is refused."""
    copy = tmp_path / "sandbox"
    shutil.copytree(jail.HERE, copy)
    server, text = copy / "server.py", (copy / "server.py").read_text()
    for old, new, says in (
        ("def _unshare() -> None:\n", "def _unshare() -> None:\n    raise OSError('namespaces are switched off')\n", "namespaces are switched off"),
        ("def _shut_in(limits: dict) -> None:\n", "def _shut_in(limits: dict) -> None:\n    raise OSError('no mounts')\n", "no mounts"),
    ):
        assert old in text
        server.write_text(text.replace(old, new))
        monkeypatch.setattr(jail, "HERE", copy)
        with pytest.raises(JailError, match=f"nothing is graded.*{says}"):
            Sandbox([]).wait()
    assert not (course / "gradebook.db").exists()


def test_a_machine_without_a_filter_is_refused(monkeypatch):
    monkeypatch.setattr(jail.platform, "machine", lambda: "riscv64")
    assert "x86_64 and aarch64, and this is riscv64" in requirements()[0]
    monkeypatch.setattr(jail.sys, "platform", "darwin")
    assert "needs Linux" in requirements()[0]
