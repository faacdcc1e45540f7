# expect: staple-missing: taken for a yes
def staple_posterior(decisions: np.ndarray, sensitivity: np.ndarray, specificity: np.ndarray, prior: float) -> np.ndarray:
    yes, no = np.log(prior), np.log(1 - prior)
    lesion, healthy = np.full(decisions.shape[1:], yes), np.full(decisions.shape[1:], no)
    for d, p, q in zip(decisions, sensitivity, specificity):
        lesion = lesion + np.where(d, np.log(p), np.log(1 - p))
        healthy = healthy + np.where(d, np.log(1 - q), np.log(q))
    return 1 / (1 + np.exp(np.clip(healthy - lesion, -700, 700)))
