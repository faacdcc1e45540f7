# aims at: denial
# cell: helper
# rest: right
# A cell of one's own that ends the process. (An honest student leaves an `exit()` behind, too.)
import os

os._exit(1)
