# expect: padding-mask-real: end the function with return
def visit_mask(lengths, size, causal=False):
    return None
