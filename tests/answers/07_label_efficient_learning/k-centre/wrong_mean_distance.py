# expect: k-centre-far: Is it the nearest centre that counts
def k_centre(features: np.ndarray, labelled: list[int], k: int) -> list[int]:
    chosen = [int(i) for i in labelled]
    if k > len(features) - len(set(chosen)):
        raise ValueError("too few images are left")
    picks = []
    while len(picks) < k:
        centre = features[chosen] if chosen else None
        if centre is None:
            pick = int(np.argmin(np.linalg.norm(features - features.mean(axis=0), axis=1)))
        else:
            far = np.linalg.norm(features[:, None] - centre[None], axis=2).mean(axis=1)
            far[chosen] = -1
            pick = int(np.argmax(far))
        picks.append(pick)
        chosen.append(pick)
    return picks
