# Two commands work on a fresh machine with Python 3.11 or newer and make: `make lab` and `make test`. Each sets up .venv by itself, once.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
COURSE ?= course

# One thread for each of two workers: two notebooks side by side are faster so than one after the other with two threads.
export OMP_NUM_THREADS ?= 1

.PHONY: lab test quick release check lock clean help

help:  ## what there is
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/'

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'Python 3.11 or newer is needed, this is ' + sys.version.split()[0])"
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $(READY)

lab: $(READY)  ## open the notebooks in JupyterLab
	env -u OMP_NUM_THREADS $(BIN)/jupyter lab --notebook-dir=notebooks

test: $(READY)  ## every test, notebooks included, without a network
	$(BIN)/ruff check .
	$(BIN)/python -m pytest -n 2 --dist worksteal

quick: $(READY)  ## the tests that take seconds
	$(BIN)/python -m pytest -n 2 -m "not notebook"

release: $(READY)  ## solutions/ -> notebooks/
	$(BIN)/python -m grading release

lock: $(READY)  ## pin the newest set that pyproject.toml allows, and write it for conda too
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --fork-strategy fewest --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-emit-find-links --no-header --no-annotate --output-file requirements.lock
	$(BIN)/python -m grading.environment

clean:  ## forget the environment
	rm -rf .venv
