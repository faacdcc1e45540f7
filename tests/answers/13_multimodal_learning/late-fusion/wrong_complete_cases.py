# expect: late-fusion-missing: whatever else they lack
from scipy.optimize import minimize_scalar
from scipy.special import expit
def late_fusion(val_logits, val_y, logits):
    ok = ~np.isnan(val_logits).any(0)
    temps = []
    for z in val_logits:
        z, y = z[ok], val_y[ok]
        temps.append(np.exp(minimize_scalar(lambda a: np.mean(np.logaddexp(0, z / np.exp(a)) - y * z / np.exp(a)), bounds=(-5, 5), method="bounded").x))
    temps = np.array(temps)
    return np.nanmean(expit(logits / temps[:, None]), axis=0), temps
