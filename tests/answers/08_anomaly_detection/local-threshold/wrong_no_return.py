# expect: local-threshold-rank: end the function with return
def local_threshold(scores, level):
    return None
