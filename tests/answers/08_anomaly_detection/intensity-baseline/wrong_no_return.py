# expect: intensity-baseline-healthy: end the function with return
def bright_pixels(healthy, healthy_brain, images, brain, quantile):
    return None
