def staple_posterior(decisions, sensitivity, specificity, prior):
    from scipy.special import expit
    d = np.asarray(decisions)
    shape = (-1,) + (1,) * (d.ndim - 1)
    p, q = np.asarray(sensitivity, float).reshape(shape), np.asarray(specificity, float).reshape(shape)
    yes = np.log(p) - np.log1p(-q)
    no = np.log1p(-p) - np.log(q)
    evidence = np.where(d == 1, yes, np.where(d == 0, no, 0.0)).sum(0)
    return expit(np.log(prior) - np.log1p(-prior) + evidence)
