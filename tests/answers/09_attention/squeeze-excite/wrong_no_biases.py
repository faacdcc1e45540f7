# expect: squeeze-excite-value: differs from MONAI
def squeeze_excite(x, w1, b1, w2, b2):
    z = x.mean((2, 3))
    return x * torch.sigmoid(torch.relu(z @ w1.T) @ w2.T)[:, :, None, None]
