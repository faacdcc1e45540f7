def surface_scores(forth: np.ndarray, back: np.ndarray, tolerance: float) -> tuple[float, float]:
    def p95(values):
        values = sorted(values)
        position = 0.95 * (len(values) - 1)
        low = int(position)
        high = min(low + 1, len(values) - 1)
        return values[low] + (position - low) * (values[high] - values[low])

    n, m = len(forth), len(back)
    if n == 0 and m == 0:
        return 0, 1
    if n == 0 or m == 0:
        return np.inf, 0
    within = sum(d <= tolerance for d in forth) + sum(d <= tolerance for d in back)
    return max(p95(forth), p95(back)), within / (n + m)
