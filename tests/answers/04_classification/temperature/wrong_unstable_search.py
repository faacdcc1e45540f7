# expect: temperature-robust: T must stay
def temperature_scale(splits: dict[str, dict[str, np.ndarray]]) -> tuple[float, np.ndarray]:
    """Fit a temperature where it may be fitted, and calibrate the test predictions with it.

    Args:
        splits: "train", "val" and "test", each a dict with "logits" (N, C), any real numbers, and "labels" (N,), integers 0 to C - 1.

    Returns:
        (T, probabilities): the temperature, > 0, between 0.05 and 20, that minimises the mean negative log-likelihood of softmax(logits / T),
        and the calibrated probabilities of the test split (N, C), whose rows sum to 1.
    """
    z, y = splits["val"]["logits"], splits["val"]["labels"]

    def soft(z):
        return np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)

    grid = np.geomspace(0.05, 20, 1500)
    nll = [-np.mean(np.log(soft(z / t)[np.arange(len(y)), y])) for t in grid]
    t = float(grid[np.nanargmin(nll)])
    return t, soft(splits["test"]["logits"] / t)
