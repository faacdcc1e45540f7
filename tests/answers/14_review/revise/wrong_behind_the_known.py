# expect: revise-known: don't look behind what is known
def revise(topic, links, known):
    order = []

    def visit(one, way):
        if one in order:
            return
        if one in way:
            raise ValueError("circle")
        for first, then in links:
            if then == one:
                visit(first, [*way, one])
        order.append(one)

    visit(topic, [])
    return [one for one in order if one not in known] if topic not in known else []
