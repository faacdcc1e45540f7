# expect: compose-value: end the function with return
def compose(u, w, spacing):
    return None
