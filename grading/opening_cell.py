# Set-up: run it as often as you like. It fetches the course's helpers if they are missing, leaves your torch alone, and seeds everything.
import importlib.util
import subprocess
import sys

if importlib.util.find_spec("helpers") is None:
    from importlib import metadata

    kept = [f"{name}=={metadata.version(name)}" for name in ("torch", "torchvision", "numpy") if importlib.util.find_spec(name)]
    with open("kept.txt", "w") as file:  # what is here already stays as it is
        file.write("\n".join(kept))
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "-c", "kept.txt", "git+REPOSITORY"], check=True)

import matplotlib.pyplot as plt
import numpy as np
import torch

import helpers
from helpers import data, results, show, simulate, train

run = helpers.start(LECTURE, PROFILE, SEED)
device = run.device
