def k_centre(features: np.ndarray, labelled: list[int], k: int) -> list[int]:
    from scipy.spatial.distance import cdist

    labelled = [int(i) for i in labelled]
    if k > len(features) - len(set(labelled)):
        raise ValueError("too few images are left")
    distance = cdist(features, features)
    centres = list(labelled)
    for _ in range(k):
        rest = [i for i in range(len(features)) if i not in centres]
        if centres:
            centres.append(max(rest, key=lambda i: (distance[i, centres].min(), -i)))
        else:
            centres.append(min(rest, key=lambda i: (np.linalg.norm(features[i] - features.mean(0)), i)))
    return centres[len(labelled) :]
