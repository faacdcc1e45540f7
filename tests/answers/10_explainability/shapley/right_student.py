import math

def shapley_values(v):
    v = np.asarray(v, float)
    n = len(v).bit_length() - 1
    if len(v) != 2**n or n < 1:
        raise ValueError("not 2**n")
    phi = np.zeros(n)
    for i in range(n):
        for k in range(len(v)):
            if k >> i & 1:
                continue
            s = k.bit_count()
            phi[i] += math.factorial(s) * math.factorial(n - s - 1) / math.factorial(n) * (v[k | 1 << i] - v[k])
    return phi
