# expect: shapley-axioms: should add up
def shapley_values(v):
    n = len(v).bit_length() - 1
    if len(v) != 2**n or n < 1:
        raise ValueError("not 2**n")
    return np.array([((v[1 << i] - v[0]) + (v[-1] - v[(2**n - 1) ^ (1 << i)])) / 2 for i in range(n)])
