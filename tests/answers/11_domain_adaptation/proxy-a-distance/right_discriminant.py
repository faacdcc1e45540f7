def proxy_a_distance(source: np.ndarray, target: np.ndarray, source_patients: np.ndarray, target_patients: np.ndarray, folds: int = 5) -> float:
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    x = np.concatenate([source, target])
    if not np.isfinite(x).all() or len(source) != len(source_patients) or len(target) != len(target_patients):
        raise ValueError("bad input")
    if min(len(set(source_patients)), len(set(target_patients))) < folds:
        raise ValueError("too few patients")
    y = np.r_[np.zeros(len(source)), np.ones(len(target))]
    groups = np.unique([f"s{p}" for p in source_patients] + [f"t{p}" for p in target_patients], return_inverse=True)[1]
    guess = cross_val_predict(make_pipeline(StandardScaler(), LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto", priors=[0.5, 0.5])), x, y, groups=groups, cv=StratifiedGroupKFold(folds, shuffle=True, random_state=1))
    error = ((guess[y == 0] != 0).mean() + (guess[y == 1] != 1).mean()) / 2
    return float(max(0.0, 2 * (1 - 2 * error)))
