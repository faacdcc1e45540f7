# expect: recognised-value: members have LOW losses
def recognised(member_loss: np.ndarray, other_loss: np.ndarray, max_fpr: float) -> float:
    if len(member_loss) == 0 or len(other_loss) == 0 or not 0 <= max_fpr <= 1:
        raise ValueError("members, others and a rate from 0 to 1 are needed")
    if not (np.isfinite(member_loss).all() and np.isfinite(other_loss).all()):
        raise ValueError("finite losses are needed")
    m = len(other_loss)
    allowed = int(np.floor(max_fpr * m + 1e-9))
    if allowed >= m:
        return 1.0
    return float((member_loss > np.sort(other_loss)[::-1][allowed]).mean())
