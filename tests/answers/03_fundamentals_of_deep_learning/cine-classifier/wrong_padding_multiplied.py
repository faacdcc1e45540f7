# expect: cine-classifier-padding: nan times 0 is nan
def classify_loops(cell: torch.nn.GRUCell, head: torch.nn.Linear, frames: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    if (lengths < 1).any():
        raise ValueError("there is a loop without frames")
    h = frames.new_zeros(len(frames), cell.hidden_size)
    for t in range(frames.shape[1]):
        running = (t < lengths)[:, None].to(frames.dtype)
        h = running * cell(frames[:, t], h) + (1 - running) * h
    return head(h)
