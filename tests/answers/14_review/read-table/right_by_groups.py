def read_table():
    groups = {"shown": "ADE", "not shown": "BFGH", "can't be compared": "CIJ"}
    return {letter: word for word, letters in groups.items() for letter in letters}
