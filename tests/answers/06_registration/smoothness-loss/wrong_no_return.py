# expect: smoothness-loss-free: end the function with return
def smoothness_loss(moved, u, spacing):
    return None
