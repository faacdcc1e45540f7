# expect: audit-mark-bad: one control of another size
def audit_mark(maps, mark, controls):
    a = np.abs(maps)
    total = a.sum((1, 2))
    if (total == 0).any() or mark.sum() == 0 or len(controls) == 0 or controls[0].sum() != mark.sum():
        raise ValueError("bad")
    share = lambda patch: float((a[:, patch].sum(1) / total).mean())
    s, c = share(mark), np.array([share(one) for one in controls])
    return s, float(c.mean()), float((1 + (c >= s).sum()) / (1 + len(c)))
