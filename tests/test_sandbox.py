"""The jail: what a student's process can see, use and reach. `test_ordinary_user` looks at it without root's rights."""

import ast
import errno
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from grading.sandbox import Ended, Limits, Sandbox, jail, memory
from tests import classes

ROOT = classes.FIXTURES.parents[1]
INSIDE = jail.INSIDE
LIMITS = Limits(seconds=30, cell_seconds=10, memory=2**30, disk=2**24, processes=24)


@pytest.fixture
def spawn(box):
    """Start students' processes; they end with the test."""
    made = []

    def start(limits=LIMITS):
        made.append(box.spawn(limits))
        return made[-1]

    yield start
    for each in made:
        each.close()


def run(process, source):
    """Run a cell: what it printed, and the type of its error or None."""
    answer, _ = process.ask({"operation": "run", "seed": 0, "source": source})
    return answer["output"], answer["error"] and answer["error"]["type"]


def value(process, source):
    """The value that a cell prints as text."""
    answer, _ = process.ask({"operation": "run", "seed": 0, "source": source})
    assert answer["error"] is None, answer["error"]
    return ast.literal_eval(answer["output"])


def inside(box):
    """Process ids of everything that runs in the jail."""
    return set(memory._family(box._server.pid, memory._children()))


# -- what can be seen -----------------------------------------------------------------------------------------------------


def test_who_and_where(spawn):
    source = "import os, socket\nprint((os.getuid(), os.getpid(), os.getgroups(), os.getcwd(), socket.gethostname(), os.listdir()))"
    uid, pid, groups, here, host, files = value(spawn(), source)
    assert uid != 0 and pid == 1 and 0 not in groups and (here, host, files) == ("/tmp/work", "jail", [])


def test_rights_are_gone(spawn):
    source = """
import ctypes
libc = ctypes.CDLL(None)
header, sets = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
libc.capget(header, sets)
print((list(sets), libc.prctl(39, 0, 0, 0, 0), libc.prctl(21, 0, 0, 0, 0), [libc.prctl(23, number, 0, 0, 0) for number in range(41)]))
"""
    capabilities, no_new_privileges, filtered, bounding = value(spawn(), source)
    assert capabilities == [0] * 6 and no_new_privileges == 1 and filtered == 2 and bounding == [0] * 41


def test_only_what_is_needed_can_be_read(spawn):
    source = "import os\nprint([os.listdir(path) for path in ('/', '/proc', '/jail', '/jail/course', '/etc', '/tmp')])"
    top, proc, here, course, etc, tmp = map(set, value(spawn(), source))
    system = {"bin", "dev", "etc", "lib", "lib32", "lib64", "libx32", "proc", "sbin", "tmp", "usr", "jail"}
    assert top <= system | {Path(sys.base_prefix).parts[1]}
    assert proc == {"cpuinfo", "meminfo", "self"} and here <= {"venv", "server", "course", "data"} and course == {"helpers", "data_manifest.yaml"}
    assert tmp == {"work"} and not {"passwd", "shadow", "hosts", "ssh", "machine-id"} & etc
    assert value(spawn(), f"import os\nprint([os.path.exists('{ROOT}/' + name) for name in ('solutions', 'tests', 'notebooks')])") == [False] * 3


def test_nothing_can_be_written_but_scratch(spawn):
    source = f"""
import os
written = []
for root in ("/", "/dev", "/usr/lib", "/etc", "{INSIDE}/course/helpers", "{INSIDE}/server", "{INSIDE}/venv", "/tmp", "/dev/shm", "/proc"):
    try:
        open(root + "/red-team-planted", "w").close()
        written.append(root)
    except OSError:
        pass
print(written)
"""
    assert value(spawn(), source) == ["/tmp", "/dev/shm", "/proc"], "all three are its own, and small"


def test_the_environment_is_made_for_it(monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "sk-environment")
    with Sandbox([]) as other:
        told = value(other.spawn(LIMITS), "import os\nprint(dict(os.environ))")
    assert "SECRET_TOKEN" not in told and told["HOME"] == "/tmp" and told["USER"] == "student" and len(told) < 16


def test_no_file_is_inherited(spawn):
    source = """
import os
found = []
for number in range(4096):
    try:
        found.append((number, os.fstat(number).st_rdev))
    except OSError:
        pass
print((found, os.stat("/dev/null").st_rdev))
"""
    found, null = value(spawn(), source)
    assert [device for number, device in found if number < 3] == [null] * 3 and len(found) == 4, "the null device, and the channel"


def test_no_memory_is_shared_with_the_server(box, spawn):
    """A page that a student could write and the server, or the next student, would see."""
    spawn()
    maps = [Path(f"/proc/{pid}/maps").read_text() for pid in inside(box)]
    assert len(maps) > 2 and not [line for text in maps for line in text.splitlines() if re.match(r"\S+ .w.s", line)]


def test_no_network(spawn):
    source = """
import socket
def attempt(family, address):
    try:
        with socket.socket(family) as line:
            line.settimeout(1)
            line.connect(address)
        return "connected"
    except OSError as problem:
        return problem.errno
ways = (2, ("127.0.0.1", 22)), (2, ("192.0.2.1", 80)), (10, ("::1", 22)), (40, (2, 22)), (16, (0, 0)), (17, ("lo", 0))
print([attempt(*way) for way in ways])
"""
    told = value(spawn(), source)
    assert "connected" not in told and told[3:] == [errno.EAFNOSUPPORT] * 3


def test_calls_that_are_refused(spawn):
    attempts = [
        "unshare(0x10000000)", "unshare(0x20000)", "mount(b'x', b'/tmp', b'tmpfs', 0, None)", "umount2(b'/proc', 2)", "chroot(b'/tmp')",
        "ptrace(0, 0, 0, 0)", "memfd_create(b'x', 0)", "shmget(1, 4096, 0o1666)", "setns(0, 0)", "syscall(435, 0, 0)", "syscall(425, 4, 0)",
        "mq_open(b'/x', 0o102, 0o600, 0)", "process_vm_readv(1, 0, 0, 0, 0, 0)", "bpf(0, 0, 0)", "setuid(0)", "setgid(0)",
    ]  # fmt: skip
    calls = ", ".join(f"tell(lambda: libc.{attempt})" for attempt in attempts)
    define = (
        "import ctypes\nlibc = ctypes.CDLL(None)\ndef tell(call):\n    try:\n        return call()\n    except AttributeError:\n        return -1\n"
    )
    assert value(spawn(), f"{define}print([{calls}])") == [-1] * len(attempts)


def test_libraries_still_work(spawn):
    source = """
import concurrent.futures, multiprocessing.shared_memory as shared, subprocess, tempfile, threading
import torch
seen = []
thread = threading.Thread(target=seen.append, args=[1])
thread.start()
thread.join()
seen.append(subprocess.run(["echo", "2"], capture_output=True, text=True).stdout.strip())
with concurrent.futures.ThreadPoolExecutor(2) as pool:
    seen += pool.map(abs, [-3])
with tempfile.TemporaryFile() as file:
    seen.append(file.write(b"four"))
block = shared.SharedMemory(create=True, size=64)
block.close()
block.unlink()
layer = torch.nn.Conv2d(1, 2, 3)
layer(torch.ones(1, 1, 8, 8)).sum().backward()
seen.append(list(torch.utils.data.DataLoader(range(4), batch_size=2))[1].tolist())
import threadpoolctl
seen.append({"openmp", "blas"} <= {each["user_api"] for each in threadpoolctl.threadpool_info()})
print(seen)
"""
    assert value(spawn(), source) == [1, "2", 3, 4, [2, 3], True]


# -- limits ---------------------------------------------------------------------------------------------------------------


def test_too_much_memory_is_an_error_that_can_be_caught(spawn):
    process = spawn()
    assert run(process, "x = bytearray(3 * 2**30)") == ("", "MemoryError")
    assert run(process, "print(1)") == ("1\n", None)


MEMORY = {
    "in many processes with the jail's own name": """
import ctypes, os, time
for _ in range(12):
    if os.fork() == 0:
        ctypes.CDLL(None).prctl(15, b"bwrap", 0, 0, 0)
        x = bytearray(b"x") * 2**27
        time.sleep(60)
time.sleep(60)
""",
    "shared by two": """
import mmap, os, time
x = mmap.mmap(-1, 2**31)
os.fork()
block = bytes(2**24)
for place in range(0, 2**31, 2**24):
    x[place:place + 2**24] = block
time.sleep(60)
""",
    "inherited by children": """
import os, time
x = bytearray(b"x") * 2**27
for _ in range(10):
    if os.fork() == 0:
        y = bytearray(b"y") * 2**27
        os.fork()
        time.sleep(60)
time.sleep(60)
""",
}


@pytest.mark.parametrize("how", MEMORY)
def test_memory_counts_however_it_is_held(spawn, how):
    process = spawn()
    with pytest.raises(Ended):
        raise AssertionError(run(process, MEMORY[how]))
    assert "used more than 1.0 GB" in process.ended


def test_disk_files_processes_and_descriptors_are_bounded(spawn):
    source = """
import os, threading
def count(make, most):
    for number in range(most):
        try:
            make(number)
        except (OSError, RuntimeError):
            return number
    return most
def write(folder):
    def one(number):
        with open(f"{folder}/{number}", "wb") as file:
            for _ in range(4):
                file.write(bytes(2**20))
    return one
kept = []
told = [count(write(folder), 100) for folder in ("/tmp", "/dev/shm", "/proc")]
os.system("rm -rf /tmp/[0-9]*")
told.append(count(lambda number: open(f"/tmp/{number}", "w").close(), 50_000))
told.append(count(lambda number: kept.append(os.dup(0)), 1000))
del kept[:]
stop = threading.Event()
told.append(count(lambda number: threading.Thread(target=stop.wait, daemon=True).start(), 1000))
stop.set()
print(told)
"""
    tmp, shm, proc, files, descriptors, threads = value(spawn(), source)
    assert 0 < tmp <= 4 and 0 < shm <= 4 and proc <= 1 and files <= 20_000 and descriptors < 128 and threads < LIMITS.processes


def test_a_file_has_a_largest_size(spawn):
    assert run(spawn(), "open('/tmp/x', 'wb').truncate(2**40)")[1] == "OSError"


def test_output_is_cut(spawn):
    output, _ = run(spawn(), "for _ in range(1000):\n    print('x' * 1000)")
    assert len(output) < 21_000 and "more characters are not shown" in output


def test_a_cell_and_a_submission_have_their_time(spawn):
    begin = time.monotonic()
    with pytest.raises(Ended, match="longer than 1 s"):
        run(spawn(Limits(seconds=5, cell_seconds=1)), "while True: pass")
    process = spawn(Limits(seconds=1, cell_seconds=5))
    with pytest.raises(Ended, match="longer than 1 s|used up its 1 s"):
        for _ in range(10):
            run(process, "import time\ntime.sleep(0.2)")
    assert time.monotonic() - begin < 5


# -- one student and the next -----------------------------------------------------------------------------------------------


def test_a_signal_to_its_group_stays_inside(box, spawn):
    one, other = spawn(), spawn()
    kills = "os.kill(0, signal.SIGKILL)\nos.kill(-1, signal.SIGKILL)\nos.killpg(os.getpgrp(), signal.SIGSTOP)"
    try:
        run(one, f"import os, signal\nif os.fork() == 0:\n    os.kill(0, signal.SIGKILL)\nos.wait()\n{kills}")
    except Ended:
        pass
    assert run(other, "print(2)") == ("2\n", None) and box.alive()


def test_each_keeps_to_its_processor(spawn):
    """However many threads one starts, the other is not slowed down; two share a processor only when all are taken."""
    widen = "import os\ntry:\n    os.sched_setaffinity(0, range(64))\nexcept OSError:\n    pass\nprint(sorted(os.sched_getaffinity(0)))"
    cores = [value(spawn(), widen) for _ in range(2)]
    assert all(len(core) == 1 for core in cores)


def test_what_one_does_the_next_does_not_see(spawn):
    poison = "import builtins, os, numpy as np\nnp.median = builtins.abs = None\nos.environ['X'] = '1'\n"
    assert run(spawn(), poison + "for place in ('/tmp/x', '/dev/shm/x'):\n    open(place, 'w').close()")[1] is None
    source = "import os, numpy as np\nprint((np.median([1, 2, 9]).item(), abs(-1), os.listdir('/tmp'), os.listdir('/dev/shm'), 'X' in os.environ))"
    assert value(spawn(), source) == (2.0, 1, ["work"], [], False)


def test_no_terminal_leads_to_another_submission(spawn):
    source = "import os\ntry:\n    os.openpty()\n    print('open')\nexcept OSError:\n    print('none')\nprint(os.listdir('/dev/pts'))"
    assert run(spawn(), source)[0].split() == ["none", "[]"]


def test_few_files_fit_beside_the_facts_on_the_machine(spawn):
    source = "made = 0\ntry:\n    for made in range(1000):\n        open(f'/proc/x{made}', 'w').close()\nexcept OSError:\n    pass\nprint(made < 20)"
    assert value(spawn(), source) is True


def test_nothing_lives_on(box):
    process = box.spawn(LIMITS)
    before = inside(box)
    run(
        process,
        "import os, time\nfor _ in range(5):\n    if os.fork() == 0:\n        os.setsid()\n        os.fork()\n        time.sleep(600)",
    )
    during = inside(box)
    process.close()
    assert len(during - before) >= 5 and not inside(box) & (during - before)


def test_the_jail_ends_with_whoever_started_it():
    start = "import os\nfrom grading.sandbox import Sandbox\nbox = Sandbox([]).wait()\nprocess = box.spawn()\nprint(box._server.pid, flush=True)\n"
    done = subprocess.run([sys.executable, "-c", start + "os.kill(os.getpid(), 9)"], capture_output=True, text=True, cwd=ROOT, timeout=60)
    pid = int(done.stdout)
    for _ in range(50):
        if not memory._family(pid, memory._children()):
            break
        time.sleep(0.1)
    line = Path(f"/proc/{pid}/cmdline")
    assert not memory._family(pid, memory._children()) and not (line.exists() and line.read_bytes())
