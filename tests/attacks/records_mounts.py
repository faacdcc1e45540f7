# aims at: records, secrets
# cell: helper
# Mounts, unmounts, changes its root and makes namespaces of its own.
import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)
for flags in (0x10000000, 0x10000000 | 0x20000, 0x20000, 0x40000000, 0x20000000, 0x02000000):
    print("unshared" if libc.unshare(flags) == 0 else "refused")
for target in (b"/proc", b"/tmp", b"/dev/shm", b"/"):
    print("unmounted" if libc.umount2(target, 2) == 0 else "refused")
for kind, target in ((b"tmpfs", b"/tmp/work"), (b"proc", b"/proc"), (b"overlay", b"/tmp"), (None, b"/")):
    print("mounted" if libc.mount(b"none", target, kind, 0x4000, None) == 0 else "refused")
print("new root" if libc.chroot(b"/tmp") == 0 else "refused")
child = libc.syscall(56, 0x10000000 | 17, 0, 0, 0, 0)
if child == 0:
    os._exit(0)
print("namespaced" if child > 0 else "refused")
print(os.listdir("/proc"))
