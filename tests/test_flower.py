"""Lecture 12's model in Flower: where Flower is installed it gives the weights of our own FedAvg; where not, the lecture says how to get it."""

import importlib.util

import numpy as np
import torch
from torch import nn

from grading.names import defined
from grading.sources import read_lecture, source_path, tags

NEEDED = {"TinyNet", "train_local", "federate", "flower_rounds"}


def demo_functions() -> dict:
    """What the lecture's demonstrations define, up to Flower's rounds, without their data."""
    space = {"np": np, "torch": torch, "nn": nn}
    for cell in read_lecture(source_path("12_federated_learning")).cells:
        if cell.cell_type == "code" and "demo" in tags(cell) and defined(cell.source) & NEEDED:
            exec(cell.source, space)
    return space


def test_flower_gives_the_weights_of_fedavg_by_hand():
    given = demo_functions()
    assert given.keys() >= NEEDED
    draw = torch.Generator().manual_seed(1)
    sites = [(torch.randn(n, 1, 28, 28, generator=draw), torch.randint(0, 2, (n,), generator=draw).float()) for n in (40, 60, 33)]
    by_hand, _ = given["federate"](sites, 2, 3, 0.02, 0)
    if importlib.util.find_spec("flwr") is None:  # the rounds by hand have run; that the cell speaks is tested below
        assert torch.isfinite(given["pack"](by_hand)).all()
        return
    by_flower = given["flower_rounds"](sites, 2, 3, 0.02, 0)
    assert torch.allclose(given["pack"](by_flower), given["pack"](by_hand), atol=1e-3)


def test_without_flower_the_lecture_says_how_to_get_it(capsys, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    [cell] = [c for c in read_lecture(source_path("12_federated_learning")).cells if "flower" in tags(c) and "find_spec" in c.source]
    exec(cell.source, {})
    assert 'pip install ".[federated]"' in capsys.readouterr().out
