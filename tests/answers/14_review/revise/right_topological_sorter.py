def revise(topic, links, known):
    import graphlib

    needed, open_ = set(), [topic]
    while open_:
        one = open_.pop()
        if one in known or one in needed:
            continue
        needed.add(one)
        open_ += [first for first, then in links if then == one]
    graph = {one: {first for first, then in links if then == one and first in needed} for one in needed}
    try:
        return list(graphlib.TopologicalSorter(graph).static_order())
    except graphlib.CycleError as problem:
        raise ValueError("the map runs in a circle") from problem
