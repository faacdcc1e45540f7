# expect: ema-graph: only the teacher moves
def ema_update(teacher: torch.nn.Module, student: torch.nn.Module, decay: float) -> None:
    with torch.no_grad():
        for old, new in zip(teacher.parameters(), student.parameters(), strict=True):
            old.mul_(decay).add_(new, alpha=1 - decay)
            new.copy_(old)
        for old, new in zip(teacher.buffers(), student.buffers(), strict=True):
            old.copy_(new)
