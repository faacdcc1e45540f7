def surrogate_fidelity(x_fit, score_fit, label_fit, x_test, score_test, label_test, depth):
    from sklearn.metrics import r2_score
    from sklearn.tree import DecisionTreeRegressor
    if len(set(np.asarray(score_test).tolist())) == 1:
        raise ValueError("constant scores")
    tree = DecisionTreeRegressor(max_depth=depth, random_state=0)
    tree.fit(x_fit, score_fit)
    return r2_score(score_test, tree.predict(x_test))
