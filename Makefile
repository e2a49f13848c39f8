# `make` lists what there is: every target explains itself behind its ##.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

GO_NEEDED     := 1.26
NODE_NEEDED   := 20
LINT_VERSION  := v2.12.2
LINT          := .tools/golangci-lint-$(LINT_VERSION)/golangci-lint

NODE_MODULES  := clients/ts/node_modules/.package-lock.json

# The linter remembers findings by content, with the paths of the first work tree that had it: one cache each.
export GOLANGCI_LINT_CACHE := $(CURDIR)/.tools/lint-cache

# What the targets can be told, as in `make fuzz PKG=./internal/core/wire T=1m`.
PKG  ?= ./...
T    ?= 10s
SEED ?= 1
N    ?= 1000
ARGS ?= write

.PHONY: help run build test check lint fmt fmt-check vet gen gen-check golden \
	fuzz sim sims soak bench bench-redis bench-browser microbench cover clean ci ts-build ts-check ts-test ts-histories ts-size .need-go .need-cc .need-postgres .need-chromium .need-node

help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / { printf "  %-13s %s\n", $$1, $$2 }' Makefile

run: build ## Build and start a server ready to use: the board at http://localhost:8080, data in ./topgun-data; PORT for another port.
	@exec bin/topgun dev

build: .need-go ## Build bin/topgun.
	@mkdir -p bin
	go build -trimpath -buildvcs=auto -o bin/topgun ./cmd/topgun

test: .need-go .need-cc .need-postgres .need-chromium ts-test ## Run every test, Go with the race detector, the rules of the house among them.
	go test -race -timeout 20m ./...

check: .need-go ## The inner loop: format, vet, rules of the house, short tests.
	@unformatted=$$(gofmt -l $$(git ls-files -co --exclude-standard -- '*.go')); \
	if [ -n "$$unformatted" ]; then echo "not formatted, run make fmt:"; echo "$$unformatted"; exit 1; fi
	go vet ./...
	go test ./internal/arch
	go test -short ./...

lint: $(LINT) ## Run the linters of .golangci.yml on PKG.
	$(LINT) run $(PKG)

fmt: $(LINT) ## Format all Go files.
	$(LINT) fmt

fmt-check: $(LINT) ## Fail when a Go file is not formatted.
	$(LINT) fmt --diff

vet: .need-go ## Run go vet on PKG.
	go vet $(PKG)

gen: .need-go $(NODE_MODULES) ## Write again what is generated from code.
	go generate ./...
	cd clients/ts && node tools/bundle.mjs && node tools/board.mjs

gen-check: .need-go ## Fail when what is generated is not what is in the repository.
	@sums() { git ls-files -co --exclude-standard -z | xargs -0 sha256sum 2>/dev/null; }; \
	before=$$(mktemp); after=$$(mktemp); trap 'rm -f "$$before" "$$after"' EXIT; \
	sums > "$$before"; $(MAKE) --no-print-directory gen || exit 1; sums > "$$after"; \
	diff "$$before" "$$after" > /dev/null || { \
		echo "make gen changed these files; commit them:"; \
		diff "$$before" "$$after" | awk '/^[<>]/ { print "  " $$3 }' | sort -u; exit 1; }

golden: .need-go ## Rewrite the golden files of PKG from what the code says now; read the diff before you commit it.
	GOLDEN=write go test -count=1 $(PKG)

fuzz: .need-go ## Fuzz each fuzz target of PKG for T.
	@set -e; for pkg in $$(go list $(PKG)); do \
		for target in $$(go test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
			echo "$$pkg $$target"; \
			go test $$pkg -run '^$$' -fuzz "^$$target\$$" -fuzztime $(T); \
		done; \
	done

sim: .need-go ## Run the simulation with SEED; the same seed gives the same trace.
	go test -count=1 -v ./internal/sim -run TestSeeds -seed $(SEED)

sims: .need-go ## Run the simulation with N seeds from SEED on; a finding names its seed.
	go test -count=1 -v -timeout 0 ./internal/sim -run 'TestSeeds$$' -first $(SEED) -seeds $(N)

soak: .need-go ## Churn on the real program for T, as in `make soak T=10m`, killing it every few minutes, inside fixed limits.
	go test -count=1 -v -timeout 0 ./test/process -run 'TestSoak$$' -soak $(T)

bench: build ## Measure a server against the floor: topgun bench ARGS.
	bin/topgun bench $(ARGS)

bench-browser: .need-go .need-chromium ## Measure the client in a page of Chromium: 100 000 records, by the browser's own tracing.
	go test ./test/browser -run TestMeasure -count=1 -v -timeout 20m -measure

bench-redis: build ## Measure durable writes beside those of Redis, where redis-server is installed.
	tools/bench-redis.sh

microbench: .need-go ## Run the Go benchmarks of PKG, with allocations.
	go test -run '^$$' -bench . -benchmem $(PKG)

cover: .need-go ## Measure the coverage of PKG; coverage/index.html shows the lines.
	@mkdir -p coverage
	go test -coverprofile=coverage/profile $(PKG)
	@go tool cover -html=coverage/profile -o coverage/index.html
	@go tool cover -func=coverage/profile | tail -n 1

ts-build: $(NODE_MODULES) ## Build the npm packages of clients/ts, and the bundles that are committed.
	cd clients/ts && node tools/build.mjs

ts-check: $(NODE_MODULES) ## Check the types of the TypeScript code, and that the committed bundle is made of it.
	cd clients/ts && node tools/typecheck.mjs && node tools/bundle.mjs --check

ts-test: $(NODE_MODULES) ## Run the TypeScript tests.
	cd clients/ts && node tools/test.mjs

ts-histories: $(NODE_MODULES) ## Run N random histories of the TypeScript client from SEED on; N=1 prints one.
	cd clients/ts && TOPGUN_HISTORIES=$(N) TOPGUN_SEED=$(SEED) node tools/test.mjs client/test/history

ts-size: $(NODE_MODULES) ## Fail when what browsers load is larger than clients/ts/size.json allows.
	cd clients/ts && node tools/size.mjs

clean: ## Remove what was built and measured; tools and data stay.
	rm -rf bin coverage clients/ts/.build clients/ts/packages/*/dist

ci: ## Run all that continuous integration runs.
	@.ci/run

# npm writes this file when it has installed what package-lock.json says. No package needs its install script.
$(NODE_MODULES): clients/ts/package-lock.json clients/ts/package.json | .need-node
	cd clients/ts && npm ci --ignore-scripts --no-audit --no-fund
	@touch $@

# What a fresh machine lacks is said in one line.
.need-go:
	@command -v go > /dev/null || { echo "Go $(GO_NEEDED) or later is needed: install it from https://go.dev/dl and put go on the PATH."; exit 1; }
	@have=$$(GOTOOLCHAIN=local go env GOVERSION | sed 's/^go//'); \
	printf '%s\n' $(GO_NEEDED) "$$have" | sort -V -C || { \
		echo "Go $(GO_NEEDED) or later is needed, this is $$have: install it from https://go.dev/dl."; exit 1; }

.need-cc:
	@command -v $$(go env CC) > /dev/null || { \
		echo "The race detector needs a C compiler ($$(go env CC)): install gcc (Debian: apt-get install gcc libc6-dev; macOS: xcode-select --install)."; exit 1; }

# Debian packages that tests need are installed where this is root, or asked for by name.
.need-postgres:
	@[ -n "$$TOPGUN_TEST_POSTGRES_URL" ] || .ci/need postgresql "the tests of PostgreSQL storage (or a server named by TOPGUN_TEST_POSTGRES_URL)" \
		initdb '/usr/lib/postgresql/*/bin/initdb'

.need-chromium:
	@.ci/need chromium "the tests of the page" chromium chromium-browser google-chrome /Applications/Chromium.app/Contents/MacOS/Chromium

.need-node:
	@command -v node > /dev/null && command -v npm > /dev/null || { \
		echo "Node.js $(NODE_NEEDED) or later with npm is needed for the TypeScript client: install it from https://nodejs.org/ and put node and npm on the PATH."; exit 1; }
	@node -e 'process.exit(process.versions.node.split(".")[0] < $(NODE_NEEDED) ? 1 : 0)' || { \
		echo "Node.js $(NODE_NEEDED) or later is needed, this is $$(node -v): install it from https://nodejs.org/."; exit 1; }

$(LINT): | .need-go
	@echo "installing golangci-lint $(LINT_VERSION), once: this compiles for a few minutes"
	@mkdir -p $(@D)
	@GOFLAGS= GOBIN="$(CURDIR)/$(@D)" go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)
