# expect: panoptic-quality-threshold: matched twice
def panoptic_quality(prediction: np.ndarray, truth: np.ndarray):
    ours, theirs = ([m == n for n in np.unique(m[m > 0])] for m in (prediction, truth))
    if not ours and not theirs:
        return 1.0, 1.0, 1.0
    best = [max([(a & b).sum() / (a | b).sum() for b in theirs], default=0) for a in ours]
    best = [iou for iou in best if iou > 0]
    if not best:
        return 0.0, 0.0, 0.0
    sq, rq = float(np.mean(best)), len(best) / ((len(ours) + len(theirs)) / 2)
    return sq * rq, sq, rq
