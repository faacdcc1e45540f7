# expect: spatial-attention-map: size of tensor
def spatial_attention(x: torch.Tensor, weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    pooled = torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], dim=1)
    places = torch.sigmoid(torch.nn.functional.conv2d(pooled, weight))
    return places, x * places
