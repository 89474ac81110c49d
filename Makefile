# SPDX-License-Identifier: Apache-2.0
# All targets work in a virtual environment, .venv, that is made on first use from requirements.lock.
# Another Python: PYTHON=python3.12 make test

PYTHON ?= python3
UV = uv==0.13.9
VERSION := $(shell $(PYTHON) -c 'import platform; print(platform.python_version())' 2>/dev/null)
BIN = .venv/bin
LOCKED = .venv/locked-$(VERSION)
READY = .venv/ready

# Of the caller's surroundings, these would change what runs: modules beside the locked ones, and
# options of this make in the makes that tests start.
unexport PYTHONPATH PYTHONHOME MAKEFLAGS MFLAGS

.PHONY: help demo test verify netlists fit faults lint lock clean prerequisites

help:
	@echo "make demo     learn something before your eyes"
	@echo "make test     lint, types and all tests"
	@echo "make verify   compare the core with the model, bit for bit, on random networks"
	@echo "make netlists compare what synthesis makes of the core with the model"
	@echo "make fit      build all boards and update docs/fit.md; takes hours, less with your own nextpnr: FIT=--native"
	@echo "make faults   disturb the serial link a million times, count what gets through; and a soak"
	@echo "make lint     lint and types only"
	@echo "make lock     write requirements.lock anew from pyproject.toml; UPGRADE=1 takes new versions"
	@echo "make clean    remove the environment and everything made"

demo: $(READY)
	$(BIN)/antevolt demo

test: lint
	$(BIN)/python -m pytest -n auto --dist loadgroup

verify: $(READY)
	$(BIN)/antevolt verify --campaign --out out/campaign.json

netlists: $(READY)
	$(BIN)/antevolt verify --device rtl:ecp5 --random 1 --steps 300 --out out/netlist-ecp5.json
	$(BIN)/antevolt verify --device rtl:ice40 --word 16 --random 1 --steps 300 --out out/netlist-ice40.json
	$(BIN)/python -m pytest -m long tests/sim/test_alone_netlist.py

fit: $(READY)
	$(BIN)/python -m antevolt.boards.all --seeds 3 $(FIT)
	$(BIN)/python -m antevolt.sim.docs

faults: $(READY)
	$(BIN)/antevolt faults --faults 1000000 --seed 42 --out out/faults.json
	$(BIN)/antevolt faults --faults 10000 --seed 8 --mean 400 --line bits --out out/faults-bits.json
	$(BIN)/antevolt soak --bytes 100000000 --out out/soak.json

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

prerequisites:
	@sh .ci/prerequisites '$(PYTHON)'

$(LOCKED): requirements.lock | prerequisites
	@echo "antevolt: making .venv with Python $(VERSION), about 1 GB; this takes a minute"
	@$(PYTHON) -m venv --clear .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $(LOCKED)

$(READY): $(LOCKED) pyproject.toml
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@$(BIN)/python -m antevolt.sim.golden.library
	@touch $(READY)

lock: prerequisites
	$(PYTHON) -m venv --clear .venv-lock
	.venv-lock/bin/python -m pip install --quiet --disable-pip-version-check $(UV)
	.venv-lock/bin/uv pip compile pyproject.toml --quiet --extra all --group install --universal \
		--python-version 3.11 --fork-strategy fewest --generate-hashes --no-emit-package antevolt \
		--custom-compile-command "make lock" $(if $(UPGRADE),--upgrade) --output-file requirements.lock
	rm -rf .venv-lock

clean:
	rm -rf .venv .venv-lock .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist *.egg-info
	find hdl host sim boards tests -name __pycache__ -prune -exec rm -rf {} +
