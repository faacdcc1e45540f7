# expect: revise-circle: a circle behind a known topic does no harm
def revise(topic, links, known):
    import graphlib

    graph = {}
    for first, then in links:
        graph.setdefault(then, set()).add(first)
    try:
        full = list(graphlib.TopologicalSorter(graph).static_order())
    except graphlib.CycleError as problem:
        raise ValueError("circle") from problem
    needed, open_ = set(), [topic]
    while open_:
        one = open_.pop()
        if one in known or one in needed:
            continue
        needed.add(one)
        open_ += graph.get(one, set())
    return [one for one in full if one in needed] or ([topic] if topic not in known else [])
