# The two commands of the README, and what the maintainers run.  Each sets up all that it needs in .venv.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.PHONY: demo test lint lint-c golden mutate fuzz bench bench-mcu soak validate pictures wheel clean

demo: $(VENV)/demo
	$(BIN)/tinystream demo apps/wake_word recordings

test: $(VENV)/test
	$(BIN)/python -m pytest -n auto $(PYTEST)

lint: $(VENV)/test
	$(BIN)/ruff check .
	$(BIN)/mypy

# clang-tidy, and cppcheck where it is installed, over the generated C and its kernels; the rules of docs/firmware-c.md
lint-c: $(VENV)/test
	$(BIN)/python -m pytest -n auto -q tests/test_c_lint.py tests/test_c_rules.py

# accept the C that is generated for the apps now; read `git diff tests/golden` before it is committed
golden: $(VENV)/test
	$(BIN)/python tests/golden.py

# one token of a kernel changed at a time: do the tests notice?  About half an hour on two cores.
mutate: $(VENV)/test
	$(BIN)/python tests/mutate.py

# a hundred thousand damaged models: each compiles or is refused?  About half an hour on two cores.
fuzz: $(VENV)/test
	$(BIN)/python tests/fuzz_model.py --cases 100000

# a hundred thousand alerts through a broker and a node that are killed at random: is one lost?  About ten minutes.
soak: $(VENV)/test
	$(BIN)/python tests/soak.py $(SOAK)

bench: $(VENV)/test
	$(BIN)/python benchmarks/host.py

# exact instructions, flash and RAM on emulated Cortex-M cores; fails where a bar is missed
bench-mcu: $(VENV)/test
	$(BIN)/python benchmarks/mcu.py $(MCU)

# estimates of power against published measurements, into docs/power-validation.md; fails where a bar is missed
validate: $(VENV)/test
	$(BIN)/python benchmarks/power.py

# the pictures of docs/power.md
POWER := $(BIN)/tinystream power apps/wake_word --board nucleo_u575zi --battery 2xAA
pictures: $(VENV)/test
	$(POWER) --alerts-per-day 20 --radio ble_advertise --sweep clock,duty --plot docs/power-sweep.svg recordings
	$(POWER) --radio lorawan_sx1262:sf7 --timeline docs/power-timeline.svg recordings/kitchen.flac

wheel: $(VENV)/test
	$(BIN)/python -m build --wheel

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "tinystream needs Python 3.11 or newer, $(PYTHON) is %s; say make PYTHON=python3.12" % sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/demo: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable '.[broker]'
	@touch $@

$(VENV)/test: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@ $(VENV)/demo

clean:
	rm -rf $(VENV) build dist *.egg-info
