# expect: shapley-value: not the mean over all orders
def shapley_values(v):
    n = len(v).bit_length() - 1
    if len(v) != 2**n or n < 1:
        raise ValueError("not 2**n")
    phi = np.array([np.mean([v[k | 1 << i] - v[k] for k in range(2**n) if not k >> i & 1]) for i in range(n)])
    return phi * (v[-1] - v[0]) / phi.sum()
