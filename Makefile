.PHONY: check test test-thorough test-slow doctest docs bench format

check: ## lint, formatting, types, layers
	ruff check .
	ruff format --check .
	mypy
	pytest -q tests/house/test_layers.py tests/house/test_import_is_light.py

test: ## the tests of a few minutes, as in the README
	pytest

test-thorough: ## those of some seconds each, which CI runs besides
	pytest -m thorough

test-slow: ## those of minutes each
	pytest -m slow

doctest: ## the examples in docstrings
	pytest -q --doctest-modules inftydiff

docs: ## the pages, with every example in them executed
	sphinx-build -q -n -W --keep-going docs docs/_build/html
	python docs/offline.py docs/_build/html

bench: ## speed against another checkout: make bench OTHER=path
	python benchmarks/paired.py $(OTHER)

format: ## rewrite what can be put right by itself
	ruff check --fix .
	ruff format .
