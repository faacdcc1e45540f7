# expect: position-value: end the function with return
def position_2d(rows, columns, dim):
    return None
