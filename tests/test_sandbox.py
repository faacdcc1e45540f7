"""The jail: what a student's process can see, use and reach, as root's guest and as an ordinary user's; and no grading where there is no jail."""

import ast
import errno
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from grading.classroom import autograde
from grading.sandbox import Ended, JailError, Limits, Sandbox, calls, cells, jail, memory, requirements
from tests import classes

ROOT = classes.FIXTURES.parents[1]
LIMITS = Limits(seconds=30, cell_seconds=5, memory=2**30, disk=2**24, processes=24)


@pytest.fixture
def process(box):
    """A student's process."""
    process = box.spawn(LIMITS)
    yield process
    process.close()


def run(process, source):
    """Run a cell: what it printed, and its error or None."""
    answer, _ = process.ask({"operation": "run", "seed": 0, "source": source})
    return answer["output"], answer["error"] and answer["error"]["type"]


def value(process, source):
    """The value that a cell prints as text."""
    output, error = run(process, source)
    assert error is None, error
    return ast.literal_eval(output)


# -- what can be seen ---------------------------------------------------------------------------------------------------------


def test_who_and_where(process):
    told = value(
        process,
        "import os, socket\nprint((os.getuid(), os.getgid(), os.getpid(), os.getgroups(), os.getcwd(), socket.gethostname(), os.listdir()))",
    )
    assert told[0] != 0 and told[2] == 1 and told[3] in ([], [told[1]]) and told[4:] == ("/tmp/work", "jail", [])


def test_rights_are_gone(process):
    source = """
import ctypes
libc = ctypes.CDLL(None)
header, sets = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
libc.capget(header, sets)
print((list(sets), libc.prctl(39, 0, 0, 0, 0), libc.prctl(21, 0, 0, 0, 0), [libc.prctl(23, number, 0, 0, 0) for number in range(41)]))
"""
    capabilities, no_new_privileges, filtered, bounding = value(process, source)
    assert capabilities == [0] * 6 and no_new_privileges == 1 and filtered == 2 and bounding == [0] * 41


def test_only_what_is_needed_can_be_read(process):
    told = value(
        process, f"import os\nprint((os.listdir('/'), os.listdir('/proc'), os.listdir('{ROOT}'), os.listdir('/etc'), os.listdir('/tmp')))"
    )
    assert set(told[0]) <= {
        "bin",
        "dev",
        "etc",
        "lib",
        "lib32",
        "lib64",
        "proc",
        "sbin",
        "tmp",
        "usr",
        *(Path(path).parts[1] for path in (ROOT, sys.prefix, sys.base_prefix)),
    }
    assert set(told[1]) == {"cpuinfo", "meminfo"} and set(told[2]) <= {"helpers", "data_manifest.yaml", "grading", Path(sys.prefix).name}
    assert not {"passwd", "shadow", "hosts", "ssh"} & set(told[3]) and told[4] == ["work"]
    assert value(process, f"print(os.listdir('{ROOT}/grading'))") == ["sandbox"]


def test_nothing_can_be_written_but_scratch(process):
    source = f"""
import os
written = []
for root in ("/", "/dev", "/usr/lib", "/etc", "{ROOT}/helpers", "{ROOT}/grading/sandbox", "{sys.prefix}", "{sys.prefix}/lib", "/tmp", "/tmp/work", "/dev/shm", "/proc"):
    try:
        open(root + "/red-team-planted", "w").close()
        written.append(root)
    except OSError:
        pass
print(written)
"""
    assert value(process, source) == ["/tmp", "/tmp/work", "/dev/shm", "/proc"], "all of them are private and small"


def test_the_environment_is_made_for_it(box, monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "sk-environment")
    with Sandbox([]) as other:
        process = other.spawn(LIMITS)
        told = value(process, "import os\nprint(dict(os.environ))")
        assert "SECRET_TOKEN" not in told and told["HOME"] == "/tmp" and told["USER"] == "student" and len(told) < 16


def test_no_file_is_inherited(process):
    source = "import os, stat\nprint([(n, stat.S_IFMT(os.fstat(n).st_mode)) for n in range(256) if not os.system(f'test -e /dev/null') and _is_open(n)])"
    define = "import os\ndef _is_open(n):\n    try:\n        os.fstat(n)\n        return True\n    except OSError:\n        return False\n"
    told = value(process, define + source)
    assert [number for number, _ in told][:3] == [0, 1, 2] and len(told) == 4, "the null device three times, and the channel"


def test_no_memory_is_shared_with_the_server(box, process):
    """A page that a student could write and the server, or the next student, would see."""
    pids = memory._family(box._server.pid, memory._children())
    maps = [Path(f"/proc/{pid}/maps").read_text() for pid in pids]
    assert pids and not [line for text in maps for line in text.splitlines() if re.match(r"\S+ rw.s", line)]


def test_no_network(process):
    source = """
import socket
def kind(family, address):
    try:
        with socket.socket(family) as line:
            line.settimeout(1)
            line.connect(address)
        return "connected"
    except OSError as problem:
        return problem.errno
print([kind(socket.AF_INET, ("127.0.0.1", 22)), kind(socket.AF_INET, ("192.0.2.1", 80)), kind(40, (2, 22)), kind(16, (0, 0)), kind(17, ("lo", 0))])
"""
    told = value(process, source)
    assert "connected" not in told and told[2:] == [errno.EAFNOSUPPORT] * 3


@pytest.mark.parametrize(
    "attempt",
    [
        "libc.unshare(0x10000000)", "libc.unshare(0x20000)", "libc.syscall(56, 0x10000011, 0, 0, 0, 0)", "libc.syscall(435, 0, 0)", "libc.mount(b'x', b'/tmp', b'tmpfs', 0, None)",
        "libc.umount2(b'/proc', 2)", "libc.chroot(b'/tmp')", "libc.ptrace(0, 0, 0, 0)", "libc.syscall(319, b'x', 0)", "libc.shmget(1, 4096, 0o1666)", "libc.syscall(321, 0, 0, 0)",
        "libc.syscall(425, 4, 0)", "libc.syscall(250, 0, 0, 0)", "libc.syscall(323, 0)", "libc.setns(0, 0)", "libc.syscall(298, 0, 0, 0, 0, 0)",
    ],
)  # fmt: skip
def test_calls_that_are_refused(process, attempt):
    told = value(process, f"import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\nprint(({attempt}, ctypes.get_errno()))")
    assert told[0] == -1 and told[1] in (errno.EPERM, errno.ENOSYS, errno.EINVAL)


def test_libraries_still_work(process):
    source = """
import threading, subprocess, concurrent.futures, tempfile, multiprocessing.shared_memory as shared
import torch, numpy as np
seen = []
thread = threading.Thread(target=seen.append, args=[1]); thread.start(); thread.join()
seen.append(subprocess.run(["echo", "2"], capture_output=True, text=True).stdout.strip())
with concurrent.futures.ThreadPoolExecutor(2) as pool:
    seen += pool.map(abs, [-3])
with tempfile.TemporaryFile() as file:
    seen.append(file.write(b"four"))
block = shared.SharedMemory(create=True, size=64); block.close(); block.unlink()
layer = torch.nn.Conv2d(1, 2, 3); layer(torch.ones(1, 1, 8, 8)).sum().backward()
seen.append(list(torch.utils.data.DataLoader(range(4), batch_size=2))[1].tolist())
print(seen)
"""
    assert value(process, source) == [1, "2", 3, 4, [2, 3]]


# -- limits -------------------------------------------------------------------------------------------------------------------


def test_too_much_memory_is_an_error_that_can_be_caught(process):
    assert run(process, "x = bytearray(3 * 2**30)") == ("", "MemoryError")
    assert run(process, "print(1)") == ("1\n", None)


MEMORY = {
    "in many processes with the jail's own name": "import ctypes, os, time\nfor _ in range(8):\n    if os.fork() == 0:\n        ctypes.CDLL(None).prctl(15, b'bwrap', 0, 0, 0)\n        x = bytearray(2**28)\n        time.sleep(60)\ntime.sleep(60)",  # fmt: skip
    "shared by two": "import mmap, os, time\nx = mmap.mmap(-1, 3 * 2**30)\nos.fork()\nfor place in range(0, 3 * 2**30, 2**20):\n    x[place:place + 2**20] = bytes(2**20)\ntime.sleep(60)",  # fmt: skip
    "inherited by a child": "import os, time\nx = [bytearray(b'x' * 2**27) for _ in range(6)]\nif os.fork() == 0:\n    time.sleep(60)\ny = [bytearray(b'x' * 2**27) for _ in range(1)]\nfor _ in range(3):\n    if os.fork() == 0:\n        z = bytearray(b'y' * 2**27)\n        time.sleep(60)\ntime.sleep(60)",  # fmt: skip
}


@pytest.mark.parametrize("how", MEMORY)
def test_memory_counts_however_it_is_held(box, how):
    process = box.spawn(LIMITS)
    with pytest.raises(Ended, match="used more than 1.0 GB|ended by itself"):
        run(process, MEMORY[how])
    assert "1.0 GB" in process.ended
    process.close()


def test_memory_that_nobody_holds_can_not_be_had(process):
    source = """
import ctypes, os
def tell(make):
    try:
        return make()
    except OSError as problem:
        return -problem.errno
print([tell(lambda: os.memfd_create("x")), ctypes.CDLL(None).shmget(1, 2**28, 0o1666)])
"""
    assert value(process, source) == [-errno.EPERM, -1]


def test_disk_files_processes_and_descriptors_are_bounded(process):
    source = """
import os, socket, threading
def count(make, most):
    for number in range(most):
        try:
            make(number)
        except (OSError, RuntimeError):
            return number
    return most
kept = []
def write(folder):
    def one(number):
        with open(f"{folder}/{number}", "wb") as file:
            for _ in range(4):
                file.write(bytes(2**20))
    return one
told = [count(write("/tmp"), 100), count(write("/dev/shm"), 100), count(write("/proc"), 100)]
os.system("rm -rf /tmp/[0-9]*")
told.append(count(lambda number: open(f"/tmp/{number}", "w").close(), 50_000))
told.append(count(lambda number: kept.append(os.dup(0)), 1000))
del kept[:]
stop = threading.Event()
told.append(count(lambda number: threading.Thread(target=stop.wait, daemon=True).start(), 1000))
stop.set()
print(told)
"""
    tmp, shm, proc, files, descriptors, threads = value(process, source)
    assert 0 < tmp <= 4 and 0 < shm <= 4 and proc <= 1 and files < 20_001 and descriptors < 128 and threads <= LIMITS.processes


def test_a_file_has_a_largest_size(process):
    assert run(process, "open('/tmp/x', 'wb').truncate(2**40)")[1] == "OSError"


def test_output_is_cut(process):
    output, _ = run(process, "for _ in range(1000):\n    print('x' * 1000)")
    assert len(output) < 21_000 and "more characters are not shown" in output


def test_a_cell_and_a_submission_have_their_time(box):
    process = box.spawn(Limits(seconds=2, cell_seconds=1))
    begin = time.monotonic()
    with pytest.raises(Ended, match="longer than 1 s"):
        run(process, "while True: pass")
    process.close()
    process = box.spawn(Limits(seconds=1, cell_seconds=5))
    with pytest.raises(Ended, match="longer than 1 s|used up its 1 s"):
        for _ in range(10):
            run(process, "import time; time.sleep(0.2)")
    assert time.monotonic() - begin < 5
    process.close()


# -- one student and the next ---------------------------------------------------------------------------------------------------


def test_a_signal_to_its_group_stays_inside(box):
    one, other = box.spawn(LIMITS), box.spawn(LIMITS)
    source = "import os, signal\nif os.fork() == 0:\n    os.kill(0, signal.SIGKILL)\nos.wait()\nos.kill(0, signal.SIGKILL)\nos.kill(-1, signal.SIGKILL)"
    try:
        run(one, source)
    except Ended:
        pass
    assert run(other, "print(2)") == ("2\n", None) and box.alive()
    one.close()
    other.close()


def test_what_one_does_the_next_does_not_see(box):
    one = box.spawn(LIMITS)
    run(one, "import builtins, os, numpy as np\nnp.median = builtins.print = None\nbuiltins.len = lambda x: 7\nopen('/tmp/x', 'w').close()\nopen('/dev/shm/x', 'w').close()\nos.environ['X'] = '1'")  # fmt: skip
    other = box.spawn(LIMITS)
    source = "import os, numpy as np\nprint((np.median([1, 2, 9]).item(), len([]), os.listdir('/tmp'), os.listdir('/dev/shm'), 'X' in os.environ))"
    assert value(other, source) == (2.0, 0, ["work"], [], False)
    one.close()
    other.close()


def test_nothing_lives_on(box):
    process = box.spawn(LIMITS)
    before = set(memory._family(box._server.pid, memory._children()))
    daemon = "import os, time\nfor _ in range(5):\n    if os.fork() == 0:\n        os.setsid()\n        if os.fork() == 0:\n            time.sleep(600)\n        os._exit(0)\n"
    run(process, daemon)
    during = set(memory._family(box._server.pid, memory._children()))
    process.close()
    after = set(memory._family(box._server.pid, memory._children()))
    assert len(during - before) >= 5 and after < before


def test_the_jail_ends_with_whoever_started_it(tmp_path):
    code = "import os, sys\nfrom grading.sandbox import Sandbox\nbox = Sandbox([])\nbox.wait()\nprocess = box.spawn()\nprint(box._server.pid, flush=True)\nos.kill(os.getpid(), 9)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60)
    pid = int(done.stdout)
    for _ in range(50):
        if not memory._family(pid, memory._children()):
            break
        time.sleep(0.1)
    assert not memory._family(pid, memory._children()) and not Path(f"/proc/{pid}/cmdline").exists()


# -- no jail, no grading ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def course(tmp_path):
    of = classes.lecture("96_light")
    return classes.course(tmp_path / "course", of, {"anna": classes.answered(of, classes.right(of))})


def nothing_was_graded(course):
    return not any((course / name).exists() for name in ("gradebook.db", "grades.csv", "autograded", ".grading"))


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


def test_a_machine_without_a_filter_is_refused(monkeypatch):
    monkeypatch.setattr(jail.platform, "machine", lambda: "riscv64")
    assert "x86_64 and aarch64, and this is riscv64" in requirements()[0]
    monkeypatch.setattr(jail.sys, "platform", "darwin")
    assert "needs Linux" in requirements()[0]


# -- as an ordinary user -----------------------------------------------------------------------------------------------------------


def as_ordinary_user():
    """A command prefix that gives up root's rights where the interpreter can still be read; empty for whoever is not root."""
    if os.getuid() != 0:
        return []
    command, closed = ["bwrap", "--bind", "/", "/", "--dev-bind", "/dev", "/dev", "--tmpfs", "/tmp", "--chmod", "1777", "/tmp"], set()
    for path in map(Path, (sys.base_prefix, sys.prefix, ROOT)):
        shut = next((above for above in reversed(path.parents) if not above.stat().st_mode & 0o001), None)
        if shut is None:
            continue
        if shut not in closed:
            command += ["--tmpfs", str(shut), "--chmod", "0755", str(shut)]
            closed.add(shut)
        for folder in [above for above in reversed(path.parents) if above.is_relative_to(shut) and above != shut]:
            command += ["--perms", "0755", "--dir", str(folder)]
        command += ["--ro-bind", str(path), str(path)]
    return [*command, "--", "setpriv", "--reuid=61234", "--regid=61234", "--clear-groups"]


def test_as_an_ordinary_user():
    attempts = {
        "who": "import os\nprint(os.getuid(), os.getpid(), os.listdir('/proc'))",
        "write": "for place in ('/', '/dev', '/etc'):\n    try:\n        open(place + '/x', 'w')\n    except OSError as problem:\n        print(problem.errno)",
        "memory": "import ctypes, os, time\nctypes.CDLL(None).prctl(4, 0, 0, 0, 0)\nfor _ in range(6):\n    if os.fork() == 0:\n        x = bytearray(2**27)\n        time.sleep(60)\ntime.sleep(60)",  # fmt: skip
        "network": "import socket\nsocket.create_connection(('127.0.0.1', 22), 1)",
        "mounts": "import ctypes\nprint(ctypes.CDLL(None).unshare(0x10000000))",
        "others": f"import os\nfor place in ('{ROOT}/solutions', '{ROOT}/tests', '/home', '/root', '/var'):\n    print(os.path.exists(place))",
    }
    env = [
        "env",
        "-i",
        f"PATH={os.path.dirname(sys.executable)}:/usr/bin:/bin",
        "HOME=/tmp",
        "OMP_NUM_THREADS=1",
        "PYTHONDONTWRITEBYTECODE=1",
    ]
    command = [*as_ordinary_user(), *env, sys.executable, "-m", "tests.as_ordinary_user"]
    done = subprocess.run(command, input=json.dumps(attempts), capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout)
    assert told["uid"] != 0 and told["who"].split()[:2] == [str(told["uid"]), "1"] and "'1'" not in told["who"]
    assert set(told["write"].split()) <= {str(errno.EROFS), str(errno.EACCES), str(errno.EPERM)} and len(told["write"].split()) == 3
    assert told["memory"] == "ended: it used more than 0.5 GB of memory and was stopped" or "ended by itself" in told["memory"]
    assert "Network is unreachable" in told["network"] or "refused" in told["network"]
    assert told["mounts"].strip() == "-1" and set(told["others"].split()) == {"False"}
    assert told["class"] == {"a": 3, "b": 0, "c": 1, "d": 3}


# -- the parts ----------------------------------------------------------------------------------------------------------------------


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
    with pytest.raises(KeyError):
        calls.program("riscv64")


@pytest.mark.parametrize(
    ("source", "kept"),
    [
        ("x = 1", "x = 1"), ("%matplotlib inline\nx = 1", "x = 1"), ("!pip install y\nx = 1", "x = 1"), ("x = 1\nfiles = !ls *.py\n", "x = 1"), ("%%time\nx = 1", "x = 1"),
        ("%%capture out\n%config Y\nx = 1", "x = 1"), ("np.mean?\nx = 1", "x = 1"), ("?np.mean\nx = 1", "x = 1"), ("if True:\n    %timeit 3\n    x = 1", "x = 1"), ("%%bash\nx = 1", ""),
        ("%%html\n<b>", ""), ("x = '100%'\ny = 'why?'", "y = 'why?'"), ("def f(:\n", "def f(:"), ("", ""),
    ],
)  # fmt: skip
def test_magics_become_python(source, kept):
    plain = cells.plain(source)
    assert kept in plain and not re.search(r"^\s*[%!?]", plain, re.M)
    if kept not in ("", "def f(:"):
        compile(plain, "cell", "exec")


def test_the_jail_command_hides_the_course(tmp_path):
    line = jail.command(5, ["numpy"], tmp_path)
    bound = [line[number + 1] for number, word in enumerate(line) if word in ("--ro-bind", "--bind", "--ro-bind-try")]
    assert "--bind" not in line and "--clearenv" in line and str(ROOT) not in bound and str(tmp_path) in bound
    assert not [path for path in bound if path.startswith(str(ROOT)) and Path(path).name in ("solutions", "tests", "notebooks", "grading")]
    assert shutil.which(line[0])
