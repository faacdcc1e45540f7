# expect: memory-bank-image: a mean drowns
def bank_scores(bank, features):
    if len(bank) == 0 or bank.shape[-1] != features.shape[-1] or not (np.isfinite(bank).all() and np.isfinite(features).all()):
        raise ValueError("bad")
    maps = np.linalg.norm(features[:, :, None] - bank, axis=-1).min(-1)
    k = max(1, round(0.02 * maps.shape[1]))
    return maps, np.sort(maps, 1)[:, -k:].mean(1)
