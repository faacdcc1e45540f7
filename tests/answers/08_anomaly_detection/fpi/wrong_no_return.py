# expect: fpi-blend: return two things
def foreign_patch(image, other, mask, alpha, tolerance=0.01):
    return None
