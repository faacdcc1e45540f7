# expect: deletion-order: nothing came back
def deletion_curve(score, image, heat, baseline, steps):
    return None
