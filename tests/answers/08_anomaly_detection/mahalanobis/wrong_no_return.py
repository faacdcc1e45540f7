# expect: mahalanobis-value: end the function with return
def mahalanobis_maps(healthy, new, shrink):
    return None
