"""The parts of the jail, each by itself: the system call filter, the command, what becomes of magics."""

import errno
import re
import struct
from pathlib import Path

import pytest

from grading.sandbox import calls, cells, jail
from tests import classes

ROOT = classes.FIXTURES.parents[1]


def outcome(machine, number, first=0, architecture=None):
    """What the filter says to a system call, by running it as the kernel does."""
    code = calls.program(machine)
    lines = [struct.unpack("<HBBI", code[place : place + 8]) for place in range(0, len(code), 8)]
    data = struct.pack("<IIQQ", number, architecture or calls.ARCHITECTURES[machine][0], 0, first)
    place = held = 0
    while True:
        kind, true, false, operand = lines[place]
        place += 1
        if kind == 0x06:
            return "allowed" if operand == 0x7FFF0000 else operand & 0xFFFF
        if kind == 0x20:
            held = struct.unpack_from("<I", data, operand)[0]
        else:
            holds = {0x15: held == operand, 0x35: held >= operand, 0x45: bool(held & operand)}[kind]
            place += true if holds else false


@pytest.mark.parametrize(("machine", "clone", "socket", "read", "mount"), [("x86_64", 56, 41, 0, 165), ("aarch64", 220, 198, 63, 40)])
def test_the_filter_on_both_machines(machine, clone, socket, read, mount):
    assert outcome(machine, read) == "allowed" and outcome(machine, mount) == errno.EPERM
    assert outcome(machine, clone, 17) == "allowed" and outcome(machine, clone, 0x003D0F00) == "allowed", "fork and threads"
    assert outcome(machine, clone, 0x10000000 | 17) == errno.EPERM and outcome(machine, clone, 0x20000) == errno.EPERM
    assert [outcome(machine, socket, family) for family in (1, 2, 10)] == ["allowed"] * 3
    assert [outcome(machine, socket, family) for family in (16, 17, 40)] == [errno.EAFNOSUPPORT] * 3
    assert outcome(machine, 435) == errno.ENOSYS and outcome(machine, read, architecture=0x40000003) == errno.EPERM
    assert machine != "x86_64" or outcome(machine, 0x40000000 | read) == errno.EPERM


def test_there_is_a_filter_for_every_machine_that_is_let_in():
    assert set(jail.MACHINES) == set(calls.ARCHITECTURES)
    with pytest.raises(KeyError):
        calls.program("riscv64")


@pytest.mark.parametrize(
    "source",
    [
        "x = 1",
        "%matplotlib inline\nx = 1",
        "!pip install y\nx = 1",
        "x = 1\nfiles = !ls *.py\n",
        "%%time\nx = 1",
        "%%capture out\n%config Y\nx = 1",
        "np.mean?\nx = 1",
        "?np.mean\nx = 1",
        "if True:\n    %timeit 3\n    x = 1",
        "%load_ext autoreload\nx = 1\ntext = '100%'\nwhy = 'why?'  # really?",
    ],
)
def test_magics_become_python(source):
    names = {}
    exec(compile(cells.plain(source), "cell", "exec"), names)
    assert names["x"] == 1


@pytest.mark.parametrize("source", ["%%bash\nx = 1", "%%html\n<b>", "%%writefile x.py\nx = 1"])
def test_cells_in_other_languages_are_left_out(source):
    assert cells.plain(source) == ""


@pytest.mark.parametrize("source", ["def f(:\n", "x = '100%'\ny = 'why?'", "", "x = (\n  1\n)"])
def test_everything_else_stays_as_it_is(source):
    assert cells.plain(source) == source


def test_the_shell_answers_anything():
    assert cells.Shell().run_line_magic("timeit", "1") is None and not hasattr(cells.Shell(), "__len__")


def test_the_jail_command_hides_the_course(tmp_path):
    line = jail.command(5, ["numpy"], tmp_path)
    bound = [line[number + 1] for number, word in enumerate(line) if word in ("--ro-bind", "--bind", "--ro-bind-try")]
    assert "--bind" not in line and "--clearenv" in line and str(ROOT) not in bound and str(tmp_path) in bound
    assert not [path for path in bound if re.match(str(ROOT), path) and Path(path).name in ("solutions", "tests", "notebooks", "grading")]
