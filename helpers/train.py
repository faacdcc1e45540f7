"""One training loop for every lecture: AdamW, a one-cycle schedule, a progress bar, and the checkpoint that validation liked best."""

import copy
import os
import time
from collections.abc import Callable, Iterable, Sized
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from tqdm.auto import tqdm


@dataclass
class History:
    """What happened in a training.

    Attributes:
        loss: mean training loss of each epoch.
        score: validation score after each epoch, higher is better.
        best_epoch: the epoch (from 0) whose weights the model now holds; best_score: its validation score.
        seconds: wall time in all.
    """

    loss: list[float] = field(default_factory=list)
    score: list[float] = field(default_factory=list)
    best_epoch: int = -1
    best_score: float = float("-inf")
    seconds: float = 0.0


def to_device(batch: Any, device: torch.device) -> Any:
    """A batch (tensor, or list, tuple or dict of such) on a device."""
    if isinstance(batch, dict):
        return {key: to_device(value, device) for key, value in batch.items()}
    if isinstance(batch, (list, tuple)):
        return type(batch)(to_device(value, device) for value in batch)
    return batch.to(device) if isinstance(batch, torch.Tensor) else batch


def fit(
    model: nn.Module,
    loader: Iterable[Any] | Sized,
    loss: Callable[..., torch.Tensor],
    evaluate: Callable[[nn.Module], float],
    epochs: int,
    lr: float,
    device: torch.device,
    patience: int | None = None,
    label: str = "",
    weight_decay: float = 1e-2,
    parameters: list[dict] | None = None,
) -> History:
    """Train a model and leave it with its best weights.

    Args:
        model: moved to `device`.
        loader: batches `(x, y)`, or anything that `loss` understands; it must know its length.
        loss: called as `loss(model(x), y)` for a pair, as `loss(model, batch)` for any other batch; returns a scalar.
        evaluate: called as `evaluate(model)` after each epoch, in eval mode and without gradients, on VALIDATION data; higher is better.
        epochs: how many passes at the most.
        lr: the peak of the one-cycle learning rate (Smith and Topin, 2019).
        patience: stop after so many epochs without a better score; None never stops early.
        label: the words on the progress bar.
        weight_decay: AdamW's (Loshchilov and Hutter, ICLR 2019).
        parameters: AdamW parameter groups, each with its own "lr" as the peak; None trains all that requires a gradient at `lr`.

    Returns:
        The history of losses and scores.

    Raises:
        FloatingPointError: the loss is not finite.
    """
    model.to(device)
    groups = parameters or [{"params": [weight for weight in model.parameters() if weight.requires_grad]}]
    optimizer = torch.optim.AdamW(groups, lr=lr, weight_decay=weight_decay)
    peaks = [group["lr"] for group in optimizer.param_groups]
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, peaks, total_steps=max(2, epochs * len(loader)))
    history, best, begin = History(), None, time.perf_counter()
    with tqdm(total=epochs, desc=label or "training", unit="epoch", leave=False, disable=os.environ.get("TQDM_DISABLE") == "1") as bar:
        for epoch in range(epochs):
            model.train()
            total = 0.0
            for batch in loader:
                batch = to_device(batch, device)
                optimizer.zero_grad()
                value = loss(model(batch[0]), batch[1]) if isinstance(batch, (list, tuple)) and len(batch) == 2 else loss(model, batch)
                if not torch.isfinite(value):
                    advice = f"lower the learning rate (now {lr:g}) or look at the inputs"
                    raise FloatingPointError(f"the loss became {value.item()} in epoch {epoch}: {advice}")
                value.backward()
                optimizer.step()
                schedule.step()
                total += value.item()
            model.eval()
            with torch.no_grad():
                score = float(evaluate(model))
            history.loss.append(total / len(loader))
            history.score.append(score)
            if score > history.best_score:
                history.best_epoch, history.best_score, best = epoch, score, copy.deepcopy(model.state_dict())
            bar.update()
            bar.set_postfix(loss=f"{history.loss[-1]:.3f}", validation=f"{score:.3f}", best=f"{history.best_score:.3f}")
            if patience is not None and epoch - history.best_epoch >= patience:
                break
    if best is not None:
        model.load_state_dict(best)
    model.eval()
    history.seconds = time.perf_counter() - begin
    return history
