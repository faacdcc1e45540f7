# expect: scaling-and-squaring-flows: end the function with return
def exponentiate(v, steps, spacing):
    return None
