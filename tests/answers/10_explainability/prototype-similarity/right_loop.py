def prototype_similarity(z, p, eps=1e-4):
    if z.shape[1] != p.shape[1]:
        raise ValueError("D")
    z, p = z.double().numpy(), p.double().numpy()
    s, at = np.zeros((len(z), len(p))), np.zeros((len(z), len(p), 2), dtype=int)
    for i in range(len(z)):
        for j in range(len(p)):
            d = ((z[i] - p[j][:, None, None]) ** 2).sum(0)
            sim = np.log((d + 1) / (d + eps))
            at[i, j] = np.unravel_index(sim.argmax(), sim.shape)
            s[i, j] = sim.max()
    return s, at
