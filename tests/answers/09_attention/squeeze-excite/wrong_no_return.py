# expect: squeeze-excite-gate: end the function with return
def squeeze_excite(x, w1, b1, w2, b2):
    return None
