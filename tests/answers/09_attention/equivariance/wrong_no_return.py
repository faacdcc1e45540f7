# expect: equivariance-position: end the function with return
def equivariance_gap(x, wq, wk, wv, order, position=None):
    return None
