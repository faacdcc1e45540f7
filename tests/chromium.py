"""Where a Chromium is, for the tests that open pages; None where there is none."""

import shutil

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
