# expect: cine-classifier-value, cine-classifier-padding, cine-classifier-patients: its state must begin at zero
def classify_loops(cell: torch.nn.GRUCell, head: torch.nn.Linear, frames: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    if (lengths < 1).any():
        raise ValueError("there is a loop without frames")
    h, rows = torch.zeros(1, cell.hidden_size, dtype=frames.dtype), []
    for loop, n in zip(frames, lengths):
        for frame in loop[: int(n)]:
            h = cell(frame[None], h)
        rows.append(head(h))
    return torch.cat(rows)
