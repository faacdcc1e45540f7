# expect: exposure-bad: a log-probability is nan
def exposure(log_probs: np.ndarray, secret: int) -> float:
    if secret < 0 or secret >= len(log_probs):
        raise ValueError("nan or no position")
    higher = np.count_nonzero(log_probs > log_probs[secret])
    same = np.count_nonzero(log_probs == log_probs[secret]) - 1
    return float(np.log2(len(log_probs) / (1 + higher + same / 2)))
