def shared_bits(counts: np.ndarray) -> float:
    """Mutual information of two results, from a table of patients."""
    counts = np.asarray(counts, dtype=float)
    if counts.sum() == 0 or not np.isfinite(counts).all() or counts.min() < 0:
        raise ValueError("no patients, or a count that is none")
    p = counts / counts.sum()
    apart = np.outer(p.sum(axis=1), p.sum(axis=0))
    full = p > 0
    return float(np.sum(p[full] * np.log2(p[full] / apart[full])))
