# expect: early-stopping-edges: the best epoch is 1, and patience 2
def early_stopping(val: np.ndarray, test: np.ndarray, patience: int) -> tuple[int, int, float]:
    if patience < 1:
        raise ValueError("patience must be at least 1")
    best, kept = np.inf, 0
    for epoch in range(len(val)):
        if np.isnan(val[epoch]):
            waited = waited if epoch else 0
            continue
        if val[epoch] < best:
            best, kept, waited = val[epoch], epoch, 0
        elif best == np.inf:
            waited = epoch + 1
        else:
            waited = waited + 1
        if waited >= patience:
            break
    return epoch + 1, kept, float(test[kept])
