# expect: multi-head-output: differs from torch's
def multi_head(x, in_weight, in_bias, out_weight, out_bias, heads):
    B, N, d = x.shape
    if d % heads: raise ValueError("heads")
    q, k, v = (t.reshape(B, N, heads, d // heads).transpose(1, 2) for t in torch.nn.functional.linear(x, in_weight, in_bias).chunk(3, dim=-1))
    a = (q @ k.transpose(-2, -1) / (d // heads) ** 0.5).softmax(-1)
    y = (a @ v).transpose(1, 2).reshape(B, N, d)
    return y @ out_weight + out_bias, a
