def decision_curve(p: np.ndarray, y: np.ndarray, thresholds: np.ndarray) -> dict[str, np.ndarray]:
    if len(p) != len(y) or len(p) == 0 or not ((p >= 0) & (p <= 1)).all() or not ((thresholds > 0) & (thresholds < 1)).all():
        raise ValueError("bad input")
    n, prevalence = len(p), float(np.mean(y))
    from sklearn.metrics import confusion_matrix

    t = np.asarray(thresholds)
    counts = np.array([confusion_matrix(y, (p >= one).astype(int), labels=[0, 1]).ravel() for one in t])
    model = counts[:, 3] / n - counts[:, 1] / n * t / (1 - t)
    return {"model": model, "all": (prevalence - t) / (1 - t), "none": 0 * t}
