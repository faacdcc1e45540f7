# expect: read-table-difference: 2.0 lies inside
def read_table():
    return {
        "A": "shown",
        "B": "not shown",
        "C": "can't be compared",
        "D": "shown",
        "E": "shown",
        "F": "not shown",
        "G": "not shown",
        "H": "shown",
        "I": "can't be compared",
        "J": "can't be compared",
    }
