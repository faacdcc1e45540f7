# expect: pairs-aligned: return two things
def patch_pairs(fixed, moving, centres, size, seed):
    return None
