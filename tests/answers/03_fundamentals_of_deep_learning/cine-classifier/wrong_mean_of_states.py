# expect: cine-classifier-value, cine-classifier-padding: the first loop's logits are off
def classify_loops(cell: torch.nn.GRUCell, head: torch.nn.Linear, frames: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    if (lengths < 1).any():
        raise ValueError("there is a loop without frames")
    h, total = frames.new_zeros(len(frames), cell.hidden_size), 0
    for t in range(int(lengths.max())):
        h = torch.where((t < lengths)[:, None], cell(frames[:, t], h), h)
        total = total + torch.where((t < lengths)[:, None], h, torch.zeros_like(h))
    return head(total / lengths[:, None])
