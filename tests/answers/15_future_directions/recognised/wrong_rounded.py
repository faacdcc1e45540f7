# expect: recognised-value: round down
def recognised(member_loss, other_loss, max_fpr):
    a, o = np.asarray(member_loss, float), np.sort(np.asarray(other_loss, float))
    if len(a) == 0 or len(o) == 0 or not np.isfinite(a).all() or not np.isfinite(o).all() or not 0 <= max_fpr <= 1:
        raise ValueError("bad")
    k = int(round(max_fpr * len(o)))
    if k >= len(o):
        return 1.0
    return float((a < o[k]).mean())
