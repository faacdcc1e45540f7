# expect: k-centre-cold: begin with the image nearest to the mean
def k_centre(features: np.ndarray, labelled: list[int], k: int) -> list[int]:
    n = len(features)
    free = np.ones(n, dtype=bool)
    free[list(labelled)] = False
    if k > free.sum():
        raise ValueError(f"only {free.sum()} images are unlabelled, so {k} can't be picked")
    nearest = np.full(n, np.inf)
    for centre in labelled:
        nearest = np.minimum(nearest, np.linalg.norm(features - features[centre], axis=1))
    picks: list[int] = []
    while len(picks) < k:
        if len(labelled) + len(picks) == 0:
            pick = int(np.argmax(np.linalg.norm(features - features.mean(axis=0), axis=1)))
        else:
            pick = int(np.argmax(np.where(free, nearest, -1.0)))
        picks.append(pick)
        free[pick] = False
        nearest = np.minimum(nearest, np.linalg.norm(features - features[pick], axis=1))
    return picks
