# expect: cine-classifier-patients: the state of the first is still there
def classify_loops(cell: torch.nn.GRUCell, head: torch.nn.Linear, frames: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    if (lengths < 1).any():
        raise ValueError("there is a loop without frames")
    h = getattr(cell, "memory", frames.new_zeros(len(frames), cell.hidden_size))
    for t in range(int(lengths.max())):
        h = torch.where((t < lengths)[:, None], cell(frames[:, t], h), h)
    cell.memory = h
    return head(h)
