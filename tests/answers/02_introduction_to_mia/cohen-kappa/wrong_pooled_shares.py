# expect: cohen-kappa-value, cohen-kappa-weighted, cohen-kappa-rare: 0.5
def cohen_kappa(a: np.ndarray, b: np.ndarray, weights: str | None = None) -> float:
    pooled = np.concatenate([a, b]).astype(float)
    difference, all_pairs = a.astype(float) - b, pooled[:, None] - pooled[None, :]
    if weights == "quadratic":
        top, bottom = np.mean(difference**2), np.mean(all_pairs**2)
    else:
        top, bottom = np.mean(difference != 0), np.mean(all_pairs != 0)
    return float(1 - top / bottom) if bottom > 0 else float("nan")
