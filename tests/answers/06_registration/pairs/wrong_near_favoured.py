# expect: pairs-everywhere: not drawn evenly
def patch_pairs(fixed, moving, centres, size, seed):
    if size % 2 == 0: raise ValueError("odd")
    rng = np.random.default_rng(seed); h = size // 2; H, W = fixed.shape
    cut = lambda im, r, c: im[r - h:r + h + 1, c - h:c + h + 1]
    P, L = [], []
    for r, c in np.asarray(centres):
        for _ in range(10000):   # direction and distance are drawn evenly, so near places are favoured
            a, d = rng.uniform(0, 2 * np.pi), rng.uniform(0, max(H, W))
            r2, c2 = int(round(r + d * np.sin(a))), int(round(c + d * np.cos(a)))
            if h <= r2 < H - h and h <= c2 < W - h and (abs(r2 - r) >= size or abs(c2 - c) >= size): break
        else: raise ValueError
        P += [np.stack([cut(fixed, r, c), cut(moving, r, c)]), np.stack([cut(fixed, r, c), cut(moving, r2, c2)])]
        L += [1, 0]
    return np.stack(P), np.array(L)
