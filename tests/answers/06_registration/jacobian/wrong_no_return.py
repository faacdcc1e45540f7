# expect: jacobian-affine: return two things
def folding(u, spacing, mask):
    return None
