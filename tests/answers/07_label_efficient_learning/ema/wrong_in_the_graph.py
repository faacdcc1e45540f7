# expect: ema-graph: hangs on the student's graph
def ema_update(teacher: torch.nn.Module, student: torch.nn.Module, decay: float) -> None:
    for old, new in zip(teacher.parameters(), student.parameters(), strict=True):
        old.mul_(decay).add_(new, alpha=1 - decay)
    for old, new in zip(teacher.buffers(), student.buffers(), strict=True):
        old.copy_(new)
