from scipy.spatial.distance import cdist

def bank_scores(bank, features):
    if len(bank) == 0:
        raise ValueError("empty bank")
    if bank.shape[-1] != features.shape[-1]:
        raise ValueError("features differ in number")
    if not (np.isfinite(bank).all() and np.isfinite(features).all()):
        raise ValueError("not finite")
    B, P, D = features.shape
    maps = cdist(features.reshape(B * P, D), bank).min(1).reshape(B, P)
    return maps, maps.max(1)
