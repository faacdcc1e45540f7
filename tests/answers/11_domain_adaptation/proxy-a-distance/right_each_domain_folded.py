def proxy_a_distance(source: np.ndarray, target: np.ndarray, source_patients: np.ndarray, target_patients: np.ndarray, folds: int = 5) -> float:
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold, StratifiedKFold, StratifiedGroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    x = np.concatenate([source, target])
    if not np.isfinite(x).all() or len(source) != len(source_patients) or len(target) != len(target_patients):
        raise ValueError("bad input")
    if min(len(set(source_patients)), len(set(target_patients))) < folds:
        raise ValueError("too few patients")
    y = np.r_[np.zeros(len(source)), np.ones(len(target))]
    groups = np.unique([f"s{p}" for p in source_patients] + [f"t{p}" for p in target_patients], return_inverse=True)[1]
    rng = np.random.default_rng(3)
    errors = [[], []]
    part = np.zeros(len(x), int)
    for d, ids in ((0, groups[y == 0]), (1, groups[y == 1])):
        people = rng.permutation(np.unique(ids))
        part[y == d] = np.array([int(np.flatnonzero(people == i)[0]) % folds for i in ids])
    wrong = np.zeros(len(x), bool)
    for k in range(folds):
        learn = part != k
        mean, sd = x[learn].mean(0), x[learn].std(0) + 1e-9
        model = LogisticRegression(C=0.5, max_iter=1000, class_weight="balanced").fit((x[learn] - mean) / sd, y[learn])
        wrong[~learn] = model.predict((x[~learn] - mean) / sd) != y[~learn]
    return float(np.clip(2 - 2 * (wrong[y == 0].mean() + wrong[y == 1].mean()), 0, 2))
