def operating_point(val_scores, val_labels, test_scores, test_labels, specificity=0.9):
    healthy = np.sort(val_scores[val_labels == 0])
    candidates = np.append(np.unique(val_scores), np.inf)
    below = np.searchsorted(healthy, candidates, side="left") / len(healthy)
    threshold = candidates[np.argmax(below >= specificity)]
    true_positives = np.sum((test_scores >= threshold) & (test_labels == 1))
    true_negatives = np.sum((test_scores < threshold) & (test_labels == 0))
    return {
        "threshold": float(threshold),
        "sensitivity": float(true_positives / np.sum(test_labels == 1)),
        "specificity": float(true_negatives / np.sum(test_labels == 0)),
    }
