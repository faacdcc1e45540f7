from sklearn.metrics import roc_curve


def operating_point(val_scores, val_labels, test_scores, test_labels, prevalence, cost_miss, cost_false_alarm):
    if min(len(np.unique(val_labels)), len(np.unique(test_labels))) < 2:
        raise ValueError("a rate needs sick and healthy patients in validation and in test")
    fpr, tpr, thresholds = roc_curve(val_labels, val_scores, drop_intermediate=False)
    costs = prevalence * cost_miss * (1 - tpr) + (1 - prevalence) * cost_false_alarm * fpr
    first = int(np.flatnonzero(costs <= costs.min() + 1e-12)[0])
    threshold = float(thresholds[first])
    if first > 0:
        lower = val_scores[val_scores < threshold]
        threshold = (threshold + lower.max()) / 2 if lower.size else threshold
    called = test_scores >= threshold
    miss, alarm = 1 - called[test_labels == 1].mean(), called[test_labels == 0].mean()
    return threshold, float(prevalence * cost_miss * miss + (1 - prevalence) * cost_false_alarm * alarm)
