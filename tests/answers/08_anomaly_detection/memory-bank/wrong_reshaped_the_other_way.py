# expect: memory-bank-image: images and places stand where they stood
from scipy.spatial.distance import cdist

def bank_scores(bank, features):
    if len(bank) == 0 or bank.shape[-1] != features.shape[-1] or not (np.isfinite(bank).all() and np.isfinite(features).all()):
        raise ValueError("bad")
    B, P, D = features.shape
    maps = cdist(features.reshape(B * P, D), bank).min(1).reshape(P, B).T
    return maps, maps.max(1)
