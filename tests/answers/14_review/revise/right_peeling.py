def revise(topic, links, known):
    rest, grown = {topic} - set(known), True
    while grown:
        more = {a for a, b in links if b in rest and a not in known} - rest
        rest, grown = rest | more, bool(more)
    plan = []
    while rest:
        ready = [one for one in rest if not any(b == one and a in rest for a, b in links)]
        if not ready:
            raise ValueError(f"{sorted(rest)} rest on each other")
        plan += ready
        rest -= set(ready)
    return plan
