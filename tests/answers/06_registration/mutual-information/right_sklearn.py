from sklearn.metrics import mutual_info_score


def mutual_information(a, b, bins=32):
    table = np.histogram2d(a.flatten(), b.flatten(), bins=bins)[0]
    return float(mutual_info_score(None, None, contingency=table))
