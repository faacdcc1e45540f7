# expect: sensitivity-interval-unit: patients may have names
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
    n = len(np.unique(patients))
    sick = np.bincount(patients, weights=labels)  # takes patient names to be 0, 1, 2, ...
    found = np.bincount(patients, weights=labels * called)
    drawn = np.random.default_rng(seed).integers(0, n, (n_resamples, n))
    a, b = found[drawn].sum(1), sick[drawn].sum(1)
    return tuple(np.quantile(a[b > 0] / b[b > 0], [(1 - level) / 2, (1 + level) / 2]))
