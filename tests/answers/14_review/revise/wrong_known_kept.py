# expect: revise-known: 2 is known, and still in the plan
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
    return order
