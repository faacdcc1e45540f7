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
    from sklearn.metrics import balanced_accuracy_score
    from sklearn.svm import LinearSVC
    model = make_pipeline(StandardScaler(), LinearSVC(C=0.01, class_weight="balanced", max_iter=5000))
    guess = cross_val_predict(model, x, y, groups=groups, cv=StratifiedGroupKFold(folds))
    return float(max(4 * balanced_accuracy_score(y, guess) - 2, 0))
