# Two commands work on a fresh machine with Python 3.11 or newer and make: `make lab` and `make test`. Each sets up .venv by itself, once.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
COURSE ?= course

# One thread for each of two workers: two notebooks side by side are faster so than one after the other with two threads.
export OMP_NUM_THREADS ?= 1

.PHONY: lab test quick jail browser site release grade lock clean help

help:  ## what there is
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/'

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'Python 3.11 or newer is needed, this is ' + sys.version.split()[0])"
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $(READY)

lab: $(READY)  ## open the notebooks in JupyterLab
	env -u OMP_NUM_THREADS $(BIN)/jupyter lab --notebook-dir=notebooks $$(test "$$(id -u)" != 0 || echo --allow-root)

test: $(READY) jail browser  ## every test, notebooks included, without a network
	$(BIN)/ruff check .
	$(BIN)/python -m pytest -n 2 --dist worksteal

quick: $(READY) jail browser  ## the tests that take seconds
	$(BIN)/python -m pytest -n 2 -m "not notebook"

# On Linux the tests of grading want its jail. Root, as in a container, may install it; others are told what to ask for.
jail:
	@test "$$(uname)" != Linux || command -v bwrap > /dev/null \
		|| { test "$$(id -u)" = 0 && command -v apt-get > /dev/null && apt-get -qq update \
			&& DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends bubblewrap > /dev/null; } \
		|| { echo "bubblewrap is missing, in which submissions are graded: \`sudo apt install bubblewrap\` or \`sudo dnf install bubblewrap\`."; exit 1; }

# The tests that open pages want a Chromium. Root may install Debian's; without one they are left out, and the run says so.
browser:
	@test "$$(uname)" != Linux || command -v chromium > /dev/null || command -v chromium-browser > /dev/null || command -v google-chrome > /dev/null \
		|| { test "$$(id -u)" = 0 && command -v apt-get > /dev/null && apt-get -qq update \
			&& DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends chromium > /dev/null; } \
		|| echo "No Chromium is here, so the tests in a browser are left out: \`sudo apt install chromium\`."

site: $(READY)  ## the course's site, in site/: lectures with the outputs of recorded runs, syllabus map, results, guides, data sheets
	$(BIN)/python -m grading site site

grade: $(READY)  ## grade what was handed in: make grade LECTURE=04_classification COURSE=course
	$(BIN)/python -m grading autograde $(LECTURE) --course $(COURSE)
	$(BIN)/python -m grading feedback $(LECTURE) --course $(COURSE)

release: $(READY)  ## solutions/ -> notebooks/, README's tables, and dist/: what students get, as a folder and an archive
	$(BIN)/python -m grading release
	$(BIN)/python -m grading readme
	$(BIN)/python -m grading distribute dist

lock: $(READY)  ## pin the newest set that pyproject.toml allows, and write it for conda too
	$(BIN)/uv pip compile pyproject.toml --extra lab --extra grading --extra dev --extra site --universal --fork-strategy fewest --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-emit-find-links --no-header --no-annotate --output-file requirements.lock
	$(BIN)/python -m grading.authoring.environment

clean:  ## forget the environment
	rm -rf .venv
