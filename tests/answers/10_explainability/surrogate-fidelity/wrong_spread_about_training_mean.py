# expect: surrogate-fidelity-held-out: R^2 counts the shift
from sklearn.tree import DecisionTreeRegressor

def surrogate_fidelity(x_fit, score_fit, label_fit, x_test, score_test, label_test, depth):
    if np.ptp(score_test) == 0:
        raise ValueError("constant")
    t = DecisionTreeRegressor(max_depth=depth, random_state=0).fit(x_fit, score_fit).predict(x_test)
    return 1 - ((score_test - t) ** 2).sum() / ((score_test - score_fit.mean()) ** 2).sum()
