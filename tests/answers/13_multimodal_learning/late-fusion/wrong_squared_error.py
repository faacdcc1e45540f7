# expect: late-fusion-missing: where the cross-entropy is least
from scipy.optimize import minimize_scalar
from scipy.special import expit
def late_fusion(val_logits, val_y, logits):
    temps = []
    for z in val_logits:
        ok = ~np.isnan(z)
        temps.append(np.exp(minimize_scalar(lambda a: np.mean((expit(z[ok] / np.exp(a)) - val_y[ok]) ** 2), bounds=(-5, 5), method="bounded").x))
    temps = np.array(temps)
    return np.nanmean(expit(logits / temps[:, None]), axis=0), temps
