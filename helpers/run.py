"""Start of a notebook: device, seeds, profile and one line of versions. No data and no plots."""

import ctypes
import os
import platform
import random
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch

from helpers import speak

PROFILES = ("ci", "laptop", "gpu")
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # as malloc.h numbers them
T = TypeVar("T")


@dataclass(frozen=True)
class Run:
    """What a notebook knows about this run of itself.

    Attributes:
        lecture: the lecture's name, such as "04_classification".
        profile: "ci" (minutes, what is shipped or simulated), "laptop" (real data, at most 10 minutes on a CPU) or "gpu" (larger).
        seed: the seed that `start` gave to every generator.
        device: where tensors live: CUDA, Apple's MPS, or the CPU.
    """

    lecture: str
    profile: str
    seed: int
    device: torch.device

    def pick(self, *, ci: T, laptop: T, gpu: T | None = None) -> T:
        """The size that belongs to this profile; "gpu" falls back to the laptop's. Sizes differ between profiles, logic never does."""
        if self.profile == "ci":
            return ci
        return laptop if self.profile == "laptop" or gpu is None else gpu


def choose_device() -> torch.device:
    """CUDA if there is one, else Apple's MPS, else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and torch (every device), so that the same cells give the same numbers."""
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - libraries that still draw from the global generator are seeded too
    torch.manual_seed(seed)


def keep_freed_memory() -> None:
    """Let glibc keep memory that tensors free, for the next tensors (Linux; elsewhere nothing happens).

    By default it gives large blocks back to the system at once, and a training loop spends 10 to 30 % of its time on getting cleared pages anew.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    libc = ctypes.CDLL(None)
    for parameter, size in ((M_MMAP_THRESHOLD, 1 << 30), (M_TRIM_THRESHOLD, 2**31 - 1)):
        libc.mallopt(parameter, size)


def start(lecture: str, profile: str = "laptop", seed: int = 0) -> Run:
    """Begin a notebook: seed everything, pick a device, print one line of versions.

    Args:
        lecture: the lecture's name, such as "04_classification".
        profile: "ci", "laptop" or "gpu".
        seed: any whole number of at least 0.

    Returns:
        The run; ask it for sizes with `run.pick(ci=..., laptop=...)`.

    Raises:
        ValueError: the profile is not one of the three.
    """
    if profile not in PROFILES:
        raise ValueError(f"PROFILE is {profile!r}, but it must be one of {', '.join(map(repr, PROFILES))}: set it in the parameters cell")
    os.environ["TQDM_DISABLE"] = "1" if profile == "ci" else "0"  # a progress bar is for a person who waits
    seed_everything(seed)
    keep_freed_memory()
    speak.switch_on()
    torch.backends.cudnn.benchmark = False
    device = choose_device()
    threads = int(os.environ.get("OMP_NUM_THREADS") or 0)
    if threads:
        torch.set_num_threads(threads)
    print(
        f"{lecture} | profile {profile} | seed {seed} | device {device.type} | "
        f"Python {platform.python_version()}, torch {torch.__version__}, numpy {np.__version__}"
    )
    return Run(lecture, profile, seed, device)
