# expect: jacobian-affine: expected det A
def folding(u, spacing, mask):
    if not mask.any(): raise ValueError
    d = len(u)
    g = np.stack([np.stack(np.gradient(u[i], *spacing)) for i in range(d)])
    det = np.linalg.det(g.reshape(*mask.shape, d, d) + np.eye(d))   # reshape for moveaxis
    return det, (det[mask] <= 0).mean()
