# expect: shared-bits-value: both hold together
def shared_bits(counts: np.ndarray) -> float:
    """Mutual information of two results, from a table of patients."""
    counts = np.asarray(counts, dtype=float)
    if not np.isfinite(counts).all() or (counts < 0).any() or counts.sum() == 0:
        raise ValueError("counts must be finite, 0 or more, with at least one patient")

    def entropy(p: np.ndarray) -> float:
        p = p[p > 0]
        return float(-(p * np.log2(p)).sum())

    p = counts / counts.sum()
    return entropy(p)
