def holm(p, level):
    p = [float(x) for x in p]
    if any(not 0 <= x <= 1 for x in p):
        raise ValueError("no p-value")
    kept, left = np.zeros(len(p), bool), len(p)
    for place in sorted(range(len(p)), key=p.__getitem__):
        if p[place] > level / left:
            break
        kept[place] = True
        left -= 1
    return kept
