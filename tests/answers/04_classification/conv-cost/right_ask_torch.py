def conv_cost(
    size: tuple[int, ...], c_in: int, c_out: int, kernel: tuple[int, ...], stride: tuple[int, ...], padding: tuple[int, ...], batch: int
) -> tuple[tuple[int, ...], int, int]:
    kind = {2: torch.nn.Conv2d, 3: torch.nn.Conv3d}[len(size)]
    layer = kind(c_in, c_out, kernel, stride, padding, device="meta")
    output = layer(torch.empty(batch, c_in, *size, device="meta"))
    return tuple(output.shape[2:]), sum(p.numel() for p in layer.parameters()), output.nbytes
