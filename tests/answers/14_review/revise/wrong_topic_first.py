# expect: revise-order: the topic itself comes last
def revise(topic, links, known):
    order = []

    def visit(one, way):
        if one in known or one in order:
            return
        if one in way:
            raise ValueError("circle")
        for first, then in links:
            if then == one:
                visit(first, [*way, one])
        order.append(one)

    visit(topic, [])
    return order[::-1]
