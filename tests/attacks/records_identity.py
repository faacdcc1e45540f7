# aims at: records
# cell: helper
# Becomes another user, with more rights.
import ctypes
import os
import subprocess

for action in (lambda: os.setuid(0), lambda: os.setresuid(0, 0, 0), lambda: os.setgroups([0]), lambda: os.setgid(0), lambda: os.seteuid(1000)):
    try:
        action()
        print("became another")
    except OSError as problem:
        print(type(problem).__name__)
for command in (["sudo", "-n", "id"], ["su", "-c", "id"], ["pkexec", "id"], ["unshare", "-r", "id"], ["bwrap", "--bind", "/", "/", "id"]):
    try:
        told = subprocess.run(command, capture_output=True, timeout=2, stdin=subprocess.DEVNULL)
        print("uid=0" in told.stdout.decode())
    except Exception as problem:
        print(type(problem).__name__)
os.chmod("/tmp/work", 0o7777)
ctypes.CDLL(None).prctl(38, 0, 0, 0, 0)
