def surrogate_fidelity(x_fit, score_fit, label_fit, x_test, score_test, label_test, depth):
    from sklearn import tree
    if np.max(score_test) <= np.min(score_test):
        raise ValueError("constant scores")
    return tree.DecisionTreeRegressor(max_depth=depth, random_state=0).fit(x_fit, score_fit).score(x_test, score_test)
