# expect: cine-classifier-value, cine-classifier-padding: the first loop's logits are off
def classify_loops(cell: torch.nn.GRUCell, head: torch.nn.Linear, frames: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    if (lengths < 1).any():
        raise ValueError("there is a loop without frames")
    h = frames.new_zeros(len(frames), cell.hidden_size)
    for t in range(int(lengths.max())):
        h = torch.where((t < lengths - 1)[:, None], cell(frames[:, t], h), h)
    return head(h)
