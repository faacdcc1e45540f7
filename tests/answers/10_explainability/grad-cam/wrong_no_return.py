# expect: grad-cam-value: nothing came back
def grad_cam(activations, logits, target):
    return None
