# expect: smooth-field-amplitude: end the function with return
def smooth_field(shape, amplitude, smoothness, spacing, seed):
    return None
