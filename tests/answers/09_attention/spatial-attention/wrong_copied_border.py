# expect: spatial-attention-gated: x times the map
def spatial_attention(x, weight):
    both = torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], 1)
    m = torch.nn.functional.conv2d(torch.nn.functional.pad(both, [weight.shape[-1] // 2] * 4, mode="replicate"), weight).sigmoid()
    return m, x * m
