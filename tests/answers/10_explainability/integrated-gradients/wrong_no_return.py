# expect: integrated-gradients-linear: nothing came back
def integrated_gradients(score, x, baseline, steps):
    return None
