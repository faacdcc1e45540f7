# aims at: denial, records
# cell: rescale
# Names, files and errors in every script, some of which no file system takes.
def rescale(image):
    𝓍 = {"ключ": "値", "\u202e": "\ud83d"}
    open("/tmp/\udcff\u2028", "w").close()
    raise type("Ошибка\u202e", (Exception,), {})(𝓍)
