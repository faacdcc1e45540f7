# expect: read-table-difference, read-table-chosen: claim A
def read_table():
    return {
        "A": "can't be compared",
        "B": "can't be compared",
        "C": "can't be compared",
        "D": "can't be compared",
        "E": "can't be compared",
        "F": "can't be compared",
        "G": "can't be compared",
        "H": "can't be compared",
        "I": "can't be compared",
        "J": "can't be compared",
    }
