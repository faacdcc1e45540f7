# expect: endpoint-error-mean: not the difference of the lengths
def endpoint_error(predicted, truth, mask, spacing):
    if not mask.any(): raise ValueError
    s = np.reshape(spacing, (-1,) + (1,) * mask.ndim)
    a, b = (np.sqrt(((x * s) ** 2).sum(axis=0)) for x in (predicted, truth))
    return float(np.abs(a - b)[mask].mean())   # difference of lengths, not length of the difference
