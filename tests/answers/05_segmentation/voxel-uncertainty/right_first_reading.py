def ensemble_entropy(members):
    from scipy.special import xlogy
    p = np.asarray(members, float).mean(0)
    return -xlogy(p, p).sum(0) / np.log(p.shape[0])
