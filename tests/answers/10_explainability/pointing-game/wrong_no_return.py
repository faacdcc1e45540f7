# expect: pointing-game-hit: nothing came back
def points_to(heat, mask, spacing, tolerance):
    return None
