# expect: jacobian-affine: expected det A
def folding(u, spacing, mask):
    if not mask.any(): raise ValueError
    div = sum(np.gradient(u[i], spacing[i], axis=i) for i in range(len(u)))
    det = 1 + div
    return det, (det[mask] <= 0).mean()
