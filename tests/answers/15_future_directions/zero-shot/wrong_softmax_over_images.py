# expect: zero-shot-temperature: runs over the images
from scipy.special import softmax

def zero_shot(images, prompts, tau):
    if tau <= 0:
        raise ValueError("tau must be above 0")
    def unit(v):
        n = np.linalg.norm(v, axis=-1, keepdims=True)
        if (n == 0).any():
            raise ValueError("a vector has length 0")
        return v / n
    classes = []
    for p in prompts:
        if len(p) == 0:
            raise ValueError("a class has no prompt")
        classes.append(unit(unit(p).mean(0)))
    return softmax(unit(images) @ np.array(classes).T / tau, axis=0)
