# expect: squeeze-excite-gate: between 0 and 1
def squeeze_excite(x, w1, b1, w2, b2):
    z = x.mean((2, 3))
    return x + x * torch.sigmoid(torch.relu(z @ w1.T + b1) @ w2.T + b2)[:, :, None, None]
