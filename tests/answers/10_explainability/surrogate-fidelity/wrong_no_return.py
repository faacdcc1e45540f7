# expect: surrogate-fidelity-model: nothing came back
def surrogate_fidelity(x_fit, score_fit, label_fit, x_test, score_test, label_test, depth):
    return None
