def staple_posterior(decisions, sensitivity, specificity, prior):
    odds = torch.full(tuple(decisions.shape[1:]), float(np.log(prior) - np.log1p(-prior)), dtype=torch.float64)
    for d, p, q in zip(torch.as_tensor(np.asarray(decisions)), np.asarray(sensitivity), np.asarray(specificity)):
        odds = odds + (d == 1) * float(np.log(p) - np.log1p(-q)) + (d == 0) * float(np.log1p(-p) - np.log(q))
    return torch.sigmoid(odds)
