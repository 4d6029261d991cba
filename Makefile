# Octopus. `make` alone lists what there is. Needed: Go 1.26 or newer, make and git; nothing else.

GO      ?= go
export CGO_ENABLED ?= 0

VERSION := $(shell git describe --tags --match 'v[0-9]*' --dirty 2>/dev/null | sed 's/^v//')
COMMIT  := $(shell git rev-parse --short=12 HEAD 2>/dev/null)$(if $(shell git status --porcelain 2>/dev/null),+)
LDFLAGS := $(if $(VERSION),-X octopus/internal/version.Version=$(VERSION)) $(if $(filter-out +,$(COMMIT)),-X octopus/internal/version.stamp=$(COMMIT))
STRIP   := -s -w
EXE     := octopus$(shell $(GO) env GOEXE 2>/dev/null)
PLATFORMS := linux/amd64 linux/arm64 darwin/arm64 windows/amd64

# What `make test` runs; `make test PKG=./server/store TESTFLAGS='-run Lease -count=5'` narrows it.
PKG       ?= ./... ./.ci/summary
TESTFLAGS ?=
FUZZTIME  ?= 10s
SEEDS     ?= 10000
FIRST     ?= 1000000
TEST_BINARY := $(if $(filter ./... ./e2e%,$(PKG)),test-binary)
test test-race: export OCTOPUS_TEST_BINARY := $(if $(TEST_BINARY),$(CURDIR)/.cache/$(EXE))

.DEFAULT_GOAL := help
.PHONY: help run build plugins test test-race lint generate generate-check bench chaos powercut sim seeded fuzz dist ci clean go-version test-binary

help: ## list the targets
	@echo "Octopus: make run starts everything on this machine and prints one address."
	@echo
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## build what changed, then start server, agent and plugins on this machine
	@echo "==> octopus dev"
	@exec ./$(EXE) dev $(ARGS)

build: plugins ## build the octopus binary
	@echo "==> octopus"
	@$(GO) build -ldflags '$(LDFLAGS)' -o $(EXE) .

plugins: go-version ## compile the built-in plugins (only what changed)
	@echo "==> plugins"
	@$(GO) run ./wasmplugins/builtin/build

test: plugins $(TEST_BINARY) ## run the tests; no cgo, nothing installed by hand
	@$(GO) run ./.ci/summary $(TESTFLAGS) $(PKG)

test-race: plugins $(TEST_BINARY) ## run all tests under the race detector (needs gcc)
	@CGO_ENABLED=1 $(GO) run ./.ci/summary -race $(TESTFLAGS) $(PKG)

# End-to-end tests start this one, which is built once and without the race detector.
test-binary: plugins
	@echo "==> test binary"
	@mkdir -p .cache && CGO_ENABLED=0 $(GO) build -o .cache/$(EXE) .

lint: go-version ## check style and the import rules with golangci-lint
	@.ci/lint

generate: go-version ## write all generated files anew: pages, OpenAPI document, reference
	@echo "==> pages"
	@cd views && $(GO) tool templ generate -log-level error
	@echo "==> docs/openapi.json"
	@$(GO) test ./server/api -run '^TestOpenAPI$$' -update >/dev/null
	@echo "==> reference pages"
	@$(GO) generate ./...

generate-check: generate ## fail when a generated file is not what is committed
	@git diff --exit-code || { echo "make generate changes files: commit what it writes."; exit 1; }

bench: build ## measure what docs/operations.md promises, with the machine and the commit
	@.ci/bench

# The same tests run with few cuts in `make test`; CUTS=10000 makes more.
CUTS ?= 1000
sim: go-version ## play 10,000 histories of a simulated Octopus (SEEDS, FIRST), all cores
	@$(GO) test ./e2e/sim -run '^TestMany$$' -count=1 -timeout 6h -seeds=$(SEEDS) -first=$(FIRST)

seeded: go-version ## check the checkers: each seeded bug must be found
	@$(GO) test -tags seededbugs ./e2e/sim -run '^TestSeededBugs$$' -count=1 -v
	@$(GO) test -tags seededbugs ./server/api ./server/store -run '^TestSeeded' -count=1 -v

# Nine parts of the time go to one server, nine to three on one PostgreSQL, two to agents whose cable is pulled.
# CHAOS_SEED=n repeats a plan of faults. The tag lets the servers of the test have a bus between them that loses, doubles and delays: the product has none.
CHAOS ?= 1h
chaos: plugins ## hurt real servers, agents, links and disks for an hour (CHAOS=10m), and judge what became of the work
	@mkdir -p .cache && CGO_ENABLED=0 $(GO) build -tags seededbugs -o .cache/chaos-$(EXE) .
	@OCTOPUS_TEST_BINARY=$(CURDIR)/.cache/chaos-$(EXE) CHAOS_BUS=1 CHAOS=$(CHAOS) $(GO) test ./e2e/chaos -run '^Test(One|Three|Pulled)' -count=1 -timeout 12h -v

powercut: go-version ## cut the power under server and agent 1,000 times each, and let every step of their disks fail
	@mkdir -p .cache
	@OCTOPUS_POWERCUTS=$(CUTS) $(GO) test -count=1 -timeout 60m -run 'PowerCut|Faults|FailedSync' -v \
		./server/store ./agent ./agent/journal ./agent/spool >.cache/powercut.log 2>&1; code=$$?; \
		grep -E 'power cuts|cuts in|caught by|^(---|    ---) FAIL|^FAIL|^ok|wrongs' .cache/powercut.log | sed -E 's/^ +[a-z_]+\.go:[0-9]+: //' | cut -c1-160; \
		[ $$code -eq 0 ] || echo "The whole story is in .cache/powercut.log."; exit $$code

fuzz: go-version ## fuzz every decoder of outside input, FUZZTIME each
	@FUZZTIME=$(FUZZTIME) .ci/fuzz

dist: plugins ## cross-build for all platforms into dist/, with SHA256SUMS
	@mkdir -p dist && rm -f dist/octopus-* dist/SHA256SUMS
	@set -e; for platform in $(PLATFORMS); do \
		os=$${platform%/*}; arch=$${platform#*/}; suffix=; [ $$os != windows ] || suffix=.exe; \
		echo "==> dist/octopus-$$os-$$arch$$suffix"; \
		CGO_ENABLED=0 GOOS=$$os GOARCH=$$arch $(GO) build -trimpath -ldflags '$(STRIP) $(LDFLAGS)' -o dist/octopus-$$os-$$arch$$suffix .; \
	done
	@cd dist && { command -v sha256sum >/dev/null && sha256sum octopus-* || shasum -a 256 octopus-*; } > SHA256SUMS

ci: ## run everything that a change must pass, as continuous integration does
	@.ci/run

clean: ## remove what was built (not octopus-data)
	@rm -rf $(EXE) dist .cache wasmplugins/builtin/dist/*.wasm.gz

go-version:
	@command -v $(GO) >/dev/null || { echo "Octopus needs Go 1.26 or newer, and there is no $(GO) here. Install it from https://go.dev/dl/."; exit 1; }
	@v=$$($(GO) env GOVERSION 2>&1) || { echo "Octopus needs Go 1.26 or newer: $$v"; exit 1; }; \
	case $$v in \
	go1.[0-9]|go1.[0-9].*|go1.[0-9][a-z]*|go1.1[0-9]*|go1.2[0-5]*) \
		echo "Octopus needs Go 1.26 or newer; this is $$v. Install it from https://go.dev/dl/."; exit 1;; \
	esac
