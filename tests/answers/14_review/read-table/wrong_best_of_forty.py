# expect: read-table-chosen: flatters itself
def read_table():
    return {
        "A": "shown",
        "B": "not shown",
        "C": "can't be compared",
        "D": "shown",
        "E": "shown",
        "F": "shown",
        "G": "not shown",
        "H": "not shown",
        "I": "can't be compared",
        "J": "can't be compared",
    }
