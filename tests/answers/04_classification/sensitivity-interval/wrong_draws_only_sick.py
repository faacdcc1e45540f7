# expect: sensitivity-interval-rare: not among the sick only
def sensitivity_interval(
    called: np.ndarray, labels: np.ndarray, patients: np.ndarray, n_resamples: int = 1000, level: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """Percentile bootstrap interval of the sensitivity over images, resampling patients.

    Args:
        called: (N,) 1 where the image was called positive, else 0.
        labels: (N,) 1 where the image is sick, else 0.
        patients: (N,) whose image it is: any names or numbers, in any order; a patient may have any number of images.
        n_resamples: how many bootstrap samples.
        level: of the interval, such as 0.95: it leaves out (1 - level) / 2 at either end.
        seed: for `np.random.default_rng`.

    Returns:
        (low, high). Resamples without a sick image are left out.
    """
    names, owner = np.unique(patients[labels == 1], return_inverse=True)
    sick = np.bincount(owner)
    found = np.bincount(owner, weights=called[labels == 1])
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, len(names), (n_resamples, len(names)))
    values = found[drawn].sum(1) / sick[drawn].sum(1)
    return tuple(np.quantile(values, [(1 - level) / 2, (1 + level) / 2]))
