# expect: occlusion-value: nothing came back
def occlusion_map(score, image, size, stride, fill):
    return None
