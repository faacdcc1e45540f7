# expect: memory-bank-image: Take the maximum over the places
def bank_scores(bank, features):
    if len(bank) == 0 or bank.shape[-1] != features.shape[-1] or not (np.isfinite(bank).all() and np.isfinite(features).all()):
        raise ValueError("bad")
    d = np.linalg.norm(features[:, :, None] - bank, axis=-1)
    return d.min(-1), d.min(1).max(-1)
