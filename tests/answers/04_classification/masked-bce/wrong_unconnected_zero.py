# expect: masked-bce-all-missing: isn't connected
def masked_bce(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Binary cross-entropy over the known labels of several tasks.

    Args:
        logits: (B, T) log odds, one column a task.
        targets: (B, T) 1.0 present, 0.0 absent, nan where nobody knows.

    Returns:
        Scalar: the mean over all known entries, of all tasks together; 0 with gradient 0 if no entry is known.
    """
    known = ~torch.isnan(targets)
    if not known.any():
        return torch.tensor(0.0)
    return torch.nn.functional.binary_cross_entropy_with_logits(logits[known], targets[known])
