def staple_posterior(decisions: np.ndarray, sensitivity: np.ndarray, specificity: np.ndarray, prior: float) -> np.ndarray:
    yes, no = np.log(prior), np.log(1 - prior)
    lesion, healthy = np.full(decisions.shape[1:], yes), np.full(decisions.shape[1:], no)
    for d, p, q in zip(decisions, sensitivity, specificity):
        lesion = lesion + np.where(d == 1, np.log(p), np.where(d == 0, np.log(1 - p), 0))
        healthy = healthy + np.where(d == 1, np.log(1 - q), np.where(d == 0, np.log(q), 0))
    return 1 / (1 + np.exp(np.clip(healthy - lesion, -700, 700)))
