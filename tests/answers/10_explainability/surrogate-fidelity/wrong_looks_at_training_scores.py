# expect: surrogate-fidelity-constant: whatever the other patients got
from sklearn.metrics import r2_score
from sklearn.tree import DecisionTreeRegressor

def surrogate_fidelity(x_fit, score_fit, label_fit, x_test, score_test, label_test, depth):
    if np.ptp(score_fit) == 0:
        raise ValueError("constant")
    t = DecisionTreeRegressor(max_depth=depth, random_state=0).fit(x_fit, score_fit).predict(x_test)
    return r2_score(score_test, t)
