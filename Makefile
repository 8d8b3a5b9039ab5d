# The one entry, the same on a laptop and in CI. Needs python3 (3.13, see .python-version) with venv; brings everything else itself.
SHELL := /bin/bash
UV := .tools/bin/uv
PY := .venv/bin/python
RUN := .venv/bin

.PHONY: setup lock check lint types imports test soak demo demo-app bench clean
.DEFAULT_GOAL := check

$(UV):
	python3 -m venv .tools
	.tools/bin/pip install --quiet --disable-pip-version-check uv==0.13.9

.venv/.synced: requirements.lock pyproject.toml | $(UV)
	$(UV) venv --quiet --allow-existing --python python3 .venv
	$(UV) pip sync --quiet --python $(PY) --require-hashes --compile-bytecode requirements.lock
	$(UV) pip install --quiet --python $(PY) --no-deps --editable .
	@touch $@

setup: .venv/.synced ## everything that the other targets need

lock: $(UV) ## resolve the dependencies anew, with hashes and without registry addresses
	$(UV) pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.13 --group dev --extra spark --extra server pyproject.toml -o requirements.lock

lint: setup
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .

types: setup
	$(RUN)/mypy

imports: setup
	$(RUN)/lint-imports

test: setup ## what CI runs; needs nothing installed by hand. One worker runs all that is on Spark, where Java is
	$(RUN)/pytest -m "not soak" -n 2 --dist loadgroup
	$(PY) -m tests.with_postgresql $(RUN)/pytest -m "not soak" -n 2 --dist loadgroup tests/server

soak: setup ## the long ones
	$(RUN)/pytest -m soak

check: lint types imports test

demo: setup ## the sample channel, from files to statements
	$(RUN)/headrace demo

demo-app: setup ## the web application over the sample channel, on this machine, until Ctrl-C
	$(RUN)/headrace demo-app

bench: setup
	$(RUN)/headrace bench

clean:
	rm -rf .venv .tools .mypy_cache .ruff_cache .pytest_cache .hypothesis build demo demo-app
