# expect: shapley-bad: are not 2**n
import math

def shapley_values(v):
    n = round(np.log2(len(v)))
    if 2**n != len(v):
        raise ValueError("no")
    phi = np.zeros(n)
    for i in range(n):
        for k in range(len(v)):
            if not k >> i & 1:
                s = k.bit_count()
                phi[i] += math.factorial(s) * math.factorial(n - s - 1) / math.factorial(n) * (v[k | 1 << i] - v[k])
    return phi
