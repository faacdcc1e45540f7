# expect: compose-value: pass the spacing on
def compose(u, w, spacing):
    if u.shape != w.shape: raise ValueError("shape")
    return u + np.stack([simulate.warp(c, u) for c in w])
