# expect: landmark-error-mm: end the function with return
def landmark_errors(fixed_points, moving_points, u, spacing):
    return None
