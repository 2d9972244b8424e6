# The recipes for developers and CI. `./justw` runs them and downloads `just` if it is missing.

set positional-arguments
set shell := ["bash", "-euo", "pipefail", "-c"]

export PATH := justfile_directory() / ".tools/bin" + ":" + env("PATH")

# The same features and profile for clippy, tests and generated files: the crate is compiled once.
features := "--features sabotage"

# List the recipes
default:
    @"{{ just_executable() }}" --justfile "{{ justfile() }}" --list --unsorted

# Download and build the prerequisites of the build and the tests
[group('start')]
setup: _cc _protoc _frontend

# Run a flash sale with a simulated crowd: ./justw demo --crowd 2000
[group('start')]
demo *ARGS: setup
    @echo "Compiling the demo. The first time this takes several minutes." >&2
    cargo build --profile demo --bins
    cargo run --profile demo -- demo "$@"

# Run a payment gateway that moves no money: ./justw sandbox --speed 100
[group('start')]
sandbox *ARGS: setup
    cargo run --profile demo --bin alipay-sandbox -- "$@"

# Manage PostgreSQL, Redis and Pulsar for development: ./justw services up|down|status|env, kill|restart|pause|resume|wipe NAME
[group('start')]
services *ARGS:
    @scripts/services "$@"

# Run the demo on three nodes with PostgreSQL, Redis and Pulsar, and kill one node during the sale
[group('start')]
demo-cluster *ARGS: setup
    @scripts/demo-cluster "$@"

# Run everything that CI runs, in the same order
[group('start')]
test:
    @scripts/stages

# Quick checks for development, without servers: a few minutes after the first build
[group('check')]
check: lint-fmt lint-clippy lint-schema check-gen
    cargo test --workspace {{ features }} --lib --bins --test tidy

# Format the code
[group('check')]
fmt:
    cargo fmt

# Check formatting, clippy, rustdoc and the dependencies; warnings are errors
[group('check')]
lint: lint-fmt lint-clippy lint-doc lint-deny

# Check the formatting
[group('check')]
lint-fmt:
    @scripts/component rustfmt
    cargo fmt --check

# Run clippy on all targets
[group('check')]
lint-clippy: setup
    @scripts/component clippy
    cargo clippy --locked --workspace --all-targets {{ features }} -- -D warnings

# Build the code documentation
[group('check')]
lint-doc: setup
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items {{ features }}

# Check that dependencies are used, and their licences, sources and duplicates; `advisories` needs GitHub: ./justw lint-deny advisories
[group('check')]
lint-deny *CHECKS:
    @scripts/deny "$@"

# Lint schema/schema.graphql (descriptions, conventions, breaking changes) and the wording of documentation
[group('check')]
lint-schema:
    @scripts/graphql lint

# Run unit, property and integration tests: ./justw test-rust gate::
[group('check')]
test-rust *ARGS: setup
    scripts/with-services scripts/test-rust {{ features }} -- "$@"

# Run the examples in the code documentation
[group('check')]
test-doc: setup
    cargo test {{ features }} --doc

# Run the type checks and unit tests of the front ends
[group('check')]
test-frontend: _frontend
    @scripts/frontend test

# Test third-party GraphQL clients and the examples of schema/README.md against the real server
[group('check')]
test-clients: setup
    @scripts/graphql clients {{ features }}

# Test GraphiQL in Chromium against a running demo (or the server at DOORBUSTER_URL)
[group('check')]
test-browser: setup
    @scripts/browser-test {{ features }}

# Test the storefront in Chromium: ./justw test-storefront S1 S5; with `--stress` what takes too long for CI
[group('check')]
test-storefront *ARGS: setup
    @scripts/front-test storefront {{ features }} -- "$@"

# Operators in Chromium in the control room: ./justw test-console C1 C3
[group('check')]
test-console *ARGS: setup
    @scripts/front-test console {{ features }} -- "$@"

# Check the alerting rules, run their tests with promtool, and cause alerts by real faults on SQLite
[group('check')]
test-alerts: setup
    @scripts/alerts test {{ features }}

# Evaluate every alert and every panel of the dashboard with a real Prometheus against a running demo
[group('check')]
test-alerts-live: setup
    @scripts/alerts live {{ features }}

# Cause every alert by its real fault on PostgreSQL, Redis and Pulsar (half an hour): ./justw alerts-drill DoorbusterNodeDown
[group('check')]
alerts-drill *ARGS: setup
    @scripts/alerts drill {{ features }} -- "$@"

# Kill the server N times under load and check its histories
[group('check')]
kill-storm N="100": setup
    DOORBUSTER_KILLS="{{ N }}" cargo test {{ features }} --test it kill_storm -- --nocapture

# Measure the report of a sale and operators' searches in a shop with a million orders, with the release build: ./justw large-shop 10 100000
[group('check')]
large-shop *ARGS:
    @scripts/large-shop "$@"

# Pay N orders concurrently over a faulty gateway, and verify all records, with one PROFILE or both
[group('check')]
payments-storm N="10000" PROFILE="": setup
    DOORBUSTER_STORM_ORDERS="{{ N }}" scripts/with-services cargo test {{ features }} --test it money::storm::{{ PROFILE }} -- --nocapture

# Build the server for release, with its symbols and debug sections in a file of their own: target/dist/
[group('files')]
release: setup
    @scripts/release

# Regenerate the SDL and the configuration's schema
[group('files')]
gen: setup
    @scripts/gen {{ features }}

# Fail if a generated file is out of date
[group('files')]
check-gen: setup
    @scripts/gen --check {{ features }}

# Run benchmarks: ./justw bench [cluster|NAME…]; `cluster` starts and stops the servers that it needs; `browser`: the storefront
[group('measure')]
bench *ARGS: setup
    @scripts/bench "$@"

# Measure the CPU time of rejecting each hostile document
[group('measure')]
bench-guard: setup
    cargo build --release --bin doorbuster
    @scripts/graphql guard "${CARGO_TARGET_DIR:-target}/release/doorbuster"

# Remove the downloads in .tools/
[group('files')]
clean-tools:
    rm -rf .tools

_cc:
    @scripts/cc

_protoc:
    @scripts/protoc

_frontend:
    @scripts/frontend build
