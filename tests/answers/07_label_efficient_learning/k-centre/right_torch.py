def k_centre(features: np.ndarray, labelled: list[int], k: int) -> list[int]:
    x = torch.as_tensor(np.asarray(features), dtype=torch.float64)
    taken = torch.zeros(len(x), dtype=torch.bool)
    taken[list(labelled)] = True
    if k > int((~taken).sum()):
        raise ValueError("too few images are left")
    near = torch.full((len(x),), torch.inf, dtype=torch.float64)
    for i in labelled:
        near = torch.minimum(near, (x - x[i]).norm(dim=1))
    picks = []
    for _ in range(k):
        if taken.any():
            i = int(near.masked_fill(taken, -1).argmax())
        else:
            i = int((x - x.mean(0)).norm(dim=1).argmin())
        taken[i] = True
        picks.append(i)
        near = torch.minimum(near, (x - x[i]).norm(dim=1))
    return np.array(picks)
