# expect: panoptic-quality-edges: no nucleus, and one found
def panoptic_quality(prediction: np.ndarray, truth: np.ndarray) -> tuple[float, float, float]:
    ours = [prediction == n for n in np.unique(prediction) if n != 0]
    theirs = [truth == n for n in np.unique(truth) if n != 0]
    if not theirs:
        return 1.0, 1.0, 1.0
    total, tp = 0.0, 0
    for a in ours:
        for b in theirs:
            iou = (a & b).sum() / (a | b).sum()
            if iou > 0.5:
                total, tp = total + iou, tp + 1
    if tp == 0:
        return 0.0, 0.0, 0.0
    fp, fn = len(ours) - tp, len(theirs) - tp
    sq, rq = total / tp, tp / (tp + 0.5 * fp + 0.5 * fn)
    return sq * rq, sq, rq
