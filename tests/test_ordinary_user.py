"""The jail as somebody who is not root has it: the same walls, the same limits, the same points."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat

from tests import classes

ROOT = classes.FIXTURES.parents[1]


def as_ordinary_user():
    """A command prefix that gives up root's rights where the interpreter can still be read; empty for whoever is not root."""
    if os.getuid() != 0:
        return []
    command, opened = ["bwrap", "--bind", "/", "/", "--dev-bind", "/dev", "/dev", "--tmpfs", "/tmp", "--chmod", "1777", "/tmp"], set()
    for path in map(Path, (sys.base_prefix, sys.prefix, ROOT)):
        shut = next((above for above in reversed(path.parents) if not above.stat().st_mode & 0o001), None)
        if shut is None:
            command += ["--ro-bind", str(path), str(path)] if path.is_relative_to("/tmp") else []
            continue
        command += [] if shut in opened else ["--tmpfs", str(shut), "--chmod", "0755", str(shut)]
        opened.add(shut)
        for folder in [above for above in reversed(path.parents) if above != shut and above.is_relative_to(shut)]:
            command += ["--perms", "0755", "--dir", str(folder)]
        command += ["--ro-bind", str(path), str(path)]
    return [*command, "--", "setpriv", "--reuid=61234", "--regid=61234", "--clear-groups"]


def test_as_an_ordinary_user():
    bomb = "for _ in range(6):\n    if os.fork() == 0:\n        x = bytearray(b'x') * 2**27\n        time.sleep(60)\ntime.sleep(60)"
    places = ("/", "/dev", "/etc")
    attempts = {
        "who": "import os\nprint(os.getuid(), os.getpid(), os.listdir('/proc'))",
        "write": f"for place in {places}:\n    try:\n        open(place + '/x', 'w')\n    except OSError as problem:\n        print(problem.errno)",
        "memory": f"import ctypes, os, time\nctypes.CDLL(None).prctl(4, 0, 0, 0, 0)\n{bomb}",
        "network": "import socket\nsocket.create_connection(('127.0.0.1', 22), 1)",
        "mounts": "import ctypes\nprint(ctypes.CDLL(None).unshare(0x10000000))",
        "others": f"import os\nprint([os.path.exists(place) for place in ('{ROOT}/solutions', '{ROOT}/tests', '/var')])",
    }
    of = classes.lecture("96_light")
    right, wrong = classes.right(of), {"twice": "import os\n\n\ndef twice(x):\n    os.kill(0, 9)\n    os._exit(0)"}
    answers = {"a": right, "b": wrong, "c": {**right, **wrong}, "d": right}
    asked = {
        "attempts": attempts,
        "lecture": {"pristine": nbformat.writes(of.pristine), "released": nbformat.writes(of.released)},
        "submissions": {name: nbformat.writes(classes.answered(of, each)) for name, each in answers.items()},
    }
    clean = [
        "env",
        "-i",
        f"PATH={os.path.dirname(sys.executable)}:/usr/bin:/bin",
        "HOME=/tmp",
        "OMP_NUM_THREADS=1",
        "PYTHONDONTWRITEBYTECODE=1",
    ]
    command = [*as_ordinary_user(), *clean, sys.executable, "-m", "tests.as_ordinary_user"]
    done = subprocess.run(command, input=json.dumps(asked), capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout)
    assert told["uid"] != 0 and told["who"].split()[:2] == [str(told["uid"]), "1"] and "'1'" not in told["who"]
    assert set(told["write"].split()) <= {str(errno.EROFS), str(errno.EACCES), str(errno.EPERM)} and len(told["write"].split()) == 3
    assert told["memory"] == "ended: it used more than 0.5 GB of memory and was stopped"
    assert "Network is unreachable" in told["network"] or "refused" in told["network"]
    assert told["mounts"].strip() == "-1" and told["others"].strip() == "[False, False, False]"
    assert told["points"] == {"a": 3, "b": 0, "c": 1, "d": 3}
