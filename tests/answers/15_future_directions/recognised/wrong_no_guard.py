# expect: recognised-bad: must raise a ValueError
def recognised(member_loss: np.ndarray, other_loss: np.ndarray, max_fpr: float) -> float:
    allowed = int(max_fpr * len(other_loss) + 1e-9)
    limit = np.inf if allowed >= len(other_loss) else np.sort(other_loss)[allowed]
    return float((member_loss < limit).mean())
