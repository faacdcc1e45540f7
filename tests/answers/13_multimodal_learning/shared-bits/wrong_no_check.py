# expect: shared-bits-bad: raise a ValueError
def shared_bits(counts: np.ndarray) -> float:
    """Mutual information of two results, from a table of patients."""
    counts = np.asarray(counts, dtype=float)
    p = counts / max(counts.sum(), 1)

    def entropy(p):
        p = p[p > 0]
        return float(-(p * np.log2(p)).sum())

    return entropy(p.sum(1)) + entropy(p.sum(0)) - entropy(p)
