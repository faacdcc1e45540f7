"""How slow this machine is, beside the reference machine, while something else runs; what may cost how much is the business of the tests."""

import threading
import time

NOMINAL_SECONDS = 0.30  # the workload below on the reference machine: 2 cores, no GPU, nothing else running
EVERY_SECONDS = 10  # a gauge takes a sample so often


class Gauge:
    """How many times slower than the reference machine this one is while the `with` block runs; at least 1.

    Two cores that share caches and memory are slower when both work, and so is processor time: a notebook of 107 s alone took 167 s beside
    another. What it may take is therefore measured beside it, every ten seconds.
    """

    def __enter__(self) -> "Gauge":
        self.samples: list[float] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._measure, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_error) -> None:
        self._over.set()
        self._thread.join()

    def _measure(self) -> None:
        workload()  # the first time also imports and warms
        while not self._over.wait(EVERY_SECONDS) or not self.samples:
            self.samples.append(workload())

    @property
    def slowness(self) -> float:
        """The mean over the block."""
        return max(1.0, sum(self.samples) / len(self.samples) / NOMINAL_SECONDS)


def workload() -> float:
    """Processor seconds of this thread for a fixed piece of what notebooks do: train a small network, sort arrays, run plain Python."""
    import numpy as np
    import torch
    from torch import nn

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    start = time.thread_time()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 2, 1))
        optimizer, images = torch.optim.AdamW(net.parameters()), torch.rand(8, 1, 48, 48)
        for _ in range(40):
            optimizer.zero_grad()
            net(images).square().mean().backward()
            optimizer.step()
    matrix = np.random.default_rng(0).normal(size=(400, 400))
    for _ in range(4):
        matrix = np.sort(matrix @ matrix.T, axis=1)
        matrix /= np.abs(matrix).max()
    sum(number * number for number in range(1_000_000))
    seconds = time.thread_time() - start
    torch.set_num_threads(threads)
    return seconds
