def mutual_information(a, b, bins=32):
    def entropy(p):
        p = p[p > 0] / p.sum()
        return -np.sum(p * np.log(p))
    table = np.histogram2d(np.ravel(a), np.ravel(b), bins=bins)[0]
    return entropy(table.sum(0)) + entropy(table.sum(1)) - entropy(table.ravel())
