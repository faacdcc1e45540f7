# expect: mahalanobis-singular: the distance is off
def mahalanobis_maps(healthy, new, shrink):
    if len(healthy) < 2 or not shrink > 0 or healthy.shape[1:] != new.shape[1:]:
        raise ValueError("bad")
    N, P, D = healthy.shape
    c = (healthy - healthy.mean(0)).reshape(-1, D)
    S = c.T @ c / (N * P - P) + shrink * np.eye(D)
    step = new - healthy.mean(0)
    return np.sqrt(np.einsum("mpd,de,mpe->mp", step, np.linalg.inv(S), step))
