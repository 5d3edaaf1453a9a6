# Everything a newcomer needs: `make run` and `make test`, on a machine with Python 3.11+ and nothing else.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Tests wait for processes half of the time: three times as many workers as processors, a file to each.
WORKERS ?= $(shell n=$$(nproc); echo $$((n < 4 ? 3 * n : 12)))
PYTEST := $(BIN)/python -m pytest
PARALLEL := --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder

# Without bytecode on file, each of the thousands of processes that the tests start would compile its modules again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run test long quick check bench site dist test-dist clean

## run: set everything up, start the server, print what to try
run: $(VENV)/server
	@ACCESS_TOKEN=$${ACCESS_TOKEN:-$$($(BIN)/python -c 'import secrets; print(secrets.token_urlsafe(16))')}; \
	export ACCESS_TOKEN; \
	echo "Send a log:    (while date; do sleep 1; done) | curl -T - http://localhost:$${LIVELOG_PUT_PORT:-60022}/log"; \
	echo "Follow it:     curl http://localhost:$${LIVELOG_GET_PORT:-60023}/log/$$ACCESS_TOKEN"; \
	echo "In a browser:  http://localhost:$${LIVELOG_GET_PORT:-60023}/view/$$ACCESS_TOKEN"; \
	exec $(BIN)/livelog

## test: set everything up, run all tests but those that take long by nature; it says which it leaves to `make long`
test: $(VENV)/dev
	$(PYTEST) $(PARALLEL) -m "not long" --hypothesis-profile=short

## long: the tests that `make test` leaves: more kills, more seeds, larger logs, every hostile input; each process has an interpreter of its own
long: $(VENV)/dev
	TESTS_START=exec $(PYTEST) $(PARALLEL) -m long

# These compute most of the time: more workers would only collect more. Half of them are in one file.
## quick: the tests for the inner loop: pure modules, properties with few examples, conformance on http
quick: $(VENV)/dev
	$(PYTEST) -q --numprocesses $$(($$(nproc) + 1)) --dist worksteal -m "not long" -k "not test_case[https" --hypothesis-profile=shortest \
		tests/unit tests/fuzz tests/conformance

## check: lint, formatting, types
check: $(VENV)/dist
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

## bench: measure this server beside the cost floor and nginx, the viewer in Chromium, and questions about logs (see benchmarks/README.md)
bench: $(VENV)/dev
	$(BIN)/python benchmarks/run.py
	$(BIN)/python -m benchmarks.viewer
	$(BIN)/python -m benchmarks.questions

## site: build the documents into dist/site, for browsers and as Markdown; a broken link fails it
site: $(VENV)/dev
	$(BIN)/python -m website

## dist: build what is released into dist/, on Debian (see packaging/README.md)
dist: $(VENV)/dist
	packaging/build

## test-dist: build it, and use each form of it as a new user would
test-dist: dist
	$(BIN)/python -X dev -m pytest -q --numprocesses auto --maxprocesses 4 tests/dist

$(VENV)/server: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/dev: $(VENV)/server requirements-dev.txt
	$(BIN)/python -m pip install --quiet --constraint requirements-dev.txt --editable '.[dev]'
	@touch $@

$(VENV)/dist: $(VENV)/dev
	$(BIN)/python -m pip install --quiet --constraint requirements-dev.txt --editable '.[dev,dist]'
	@touch $@

clean:
	rm -rf $(VENV) .cache/dist dist benchmarks/build .pytest_cache .mypy_cache .ruff_cache .cache/hypothesis
