# expect: read-table-difference: the paired difference is given
def read_table():
    return {
        "A": "not shown",
        "B": "not shown",
        "C": "can't be compared",
        "D": "shown",
        "E": "shown",
        "F": "not shown",
        "G": "not shown",
        "H": "not shown",
        "I": "can't be compared",
        "J": "can't be compared",
    }
