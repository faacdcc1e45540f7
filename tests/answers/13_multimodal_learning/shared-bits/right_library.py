def shared_bits(counts: np.ndarray) -> float:
    """Mutual information of two results, from a table of patients."""
    from scipy.stats import entropy

    if not np.isfinite(counts).all() or np.any(counts < 0) or not np.any(counts):
        raise ValueError("counts")
    return float(entropy(counts.sum(0), base=2) + entropy(counts.sum(1), base=2) - entropy(counts.ravel(), base=2))
