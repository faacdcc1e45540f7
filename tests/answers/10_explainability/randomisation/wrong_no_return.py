# expect: randomisation-rank: nothing came back
def map_similarity(before, after):
    return None
