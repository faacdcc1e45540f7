def mahalanobis_maps(healthy, new, shrink):
    if len(healthy) < 2:
        raise ValueError("at least two healthy images")
    if not shrink > 0:
        raise ValueError("shrink must be positive")
    if healthy.shape[1:] != new.shape[1:]:
        raise ValueError("places or features differ")
    M, P, D = new.shape
    out = np.zeros((M, P))
    for p in range(P):
        mu = healthy[:, p].mean(0)
        S = np.cov(healthy[:, p], rowvar=False).reshape(D, D) + shrink * np.eye(D)
        step = new[:, p] - mu
        out[:, p] = np.sqrt((step * np.linalg.solve(S, step.T).T).sum(1))
    return out
