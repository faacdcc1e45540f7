# expect: prototype-similarity-value: return two things
def prototype_similarity(z, p, eps=1e-4):
    return None
