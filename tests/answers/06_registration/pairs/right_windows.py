def patch_pairs(fixed, moving, centres, size, seed):
    if size % 2 == 0:
        raise ValueError("odd")
    window = np.lib.stride_tricks.sliding_window_view
    f, m = window(fixed, (size, size)), window(moving, (size, size))
    places = np.indices(f.shape[:2]).reshape(2, -1).T
    generator = torch.Generator().manual_seed(seed)
    out, labels = [], []
    for top in np.asarray(centres) - size // 2:
        free = places[np.abs(places - top).max(axis=1) >= size]
        if not len(free):
            raise ValueError("no room")
        other = free[int(torch.randint(len(free), (1,), generator=generator))]
        out += [np.stack([f[tuple(top)], m[tuple(other)]]), np.stack([f[tuple(top)], m[tuple(top)]])]
        labels += [0, 1]
    return torch.tensor(np.array(out)), torch.tensor(labels)
