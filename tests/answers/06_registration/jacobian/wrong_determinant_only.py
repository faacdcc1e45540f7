# expect: jacobian-affine: return two things
def folding(u, spacing, mask):
    g = np.stack([np.stack(np.gradient(u[i], *spacing)) for i in range(len(u))])
    return np.linalg.det(np.moveaxis(g, (0, 1), (-2, -1)) + np.eye(len(u)))
