# One entry for people and CI. `./justw` runs these recipes and fetches `just` where it is missing.

set positional-arguments
set shell := ["bash", "-euo", "pipefail", "-c"]

export PATH := justfile_directory() / ".tools/bin" + ":" + env("PATH")

# The same features and profile for clippy, tests and generated files: the crate is compiled once.
features := "--features sabotage"

# List the recipes
default:
    @"{{ just_executable() }}" --justfile "{{ justfile() }}" --list --unsorted

# Fetch and build what the build and the tests need
[group('start')]
setup: _cc _protoc _frontend

# Run a flash sale with a simulated crowd: ./justw demo --crowd 2000
[group('start')]
demo *ARGS: setup
    @echo "Compiling the demo. The first time this takes several minutes." >&2
    cargo build --profile demo --bins
    cargo run --profile demo -- demo "$@"

# A payment gateway that moves no money: ./justw sandbox --speed 100
[group('start')]
sandbox *ARGS: setup
    cargo run --profile demo --bin alipay-sandbox -- "$@"

# PostgreSQL, Redis and Pulsar for development: ./justw services up|down|status|env, kill|restart|pause|resume|wipe NAME
[group('start')]
services *ARGS:
    @scripts/services "$@"

# The same on three nodes with PostgreSQL, Redis and Pulsar, one of them killed on the way
[group('start')]
demo-cluster *ARGS: setup
    @scripts/demo-cluster "$@"

# Everything CI runs, in its order
[group('start')]
test:
    @scripts/stages

# The developer's loop: everything that needs no server and no other process, in a few minutes after the first build
[group('check')]
check: lint-fmt lint-clippy lint-schema check-gen
    cargo test {{ features }} --lib --bins --test tidy

# Format the code
[group('check')]
fmt:
    cargo fmt

# Check formatting, clippy and rustdoc; warnings are errors
[group('check')]
lint: lint-fmt lint-clippy lint-doc

# Check the formatting
[group('check')]
lint-fmt:
    @scripts/component rustfmt
    cargo fmt --check

# Run clippy on all targets
[group('check')]
lint-clippy: setup
    @scripts/component clippy
    cargo clippy --locked --all-targets {{ features }} -- -D warnings

# Build the documentation of the code
[group('check')]
lint-doc: setup
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --document-private-items {{ features }}

# Judge schema/schema.graphql: descriptions, conventions, breaking changes
[group('check')]
lint-schema:
    @scripts/graphql lint

# Unit, property and integration tests: ./justw test-rust gate::
[group('check')]
test-rust *ARGS: setup
    scripts/with-services scripts/test-rust {{ features }} -- "$@"

# Examples in the documentation
[group('check')]
test-doc: setup
    cargo test {{ features }} --doc

# Types and unit tests of the front ends
[group('check')]
test-frontend: _frontend
    @scripts/frontend test

# GraphQL clients that others wrote, and the examples of schema/README.md, against the real server
[group('check')]
test-clients: setup
    @scripts/graphql clients {{ features }}

# GraphiQL in Chromium against a running demo (DOORBUSTER_URL tests another server)
[group('check')]
test-browser: setup
    @scripts/browser-test {{ features }}

# Shoppers in Chromium on the storefront: ./justw test-storefront S1 S5
[group('check')]
test-storefront *ARGS: setup
    @scripts/front-test storefront {{ features }} -- "$@"

# Operators in Chromium in the control room: ./justw test-console C1 C3
[group('check')]
test-console *ARGS: setup
    @scripts/front-test console {{ features }} -- "$@"

# Kill the server N times under load and check its histories
[group('check')]
kill-storm N="100": setup
    DOORBUSTER_KILLS="{{ N }}" cargo test {{ features }} --test it kill_storm -- --nocapture

# Pay N orders in every way at once, over a gateway of which everything goes wrong, and compare all books; on one PROFILE or both
[group('check')]
payments-storm N="10000" PROFILE="": setup
    DOORBUSTER_STORM_ORDERS="{{ N }}" scripts/with-services cargo test {{ features }} --test it money::storm::{{ PROFILE }} -- --nocapture

# Write the generated files again: the SDL and the configuration's schema
[group('files')]
gen: setup
    @scripts/gen {{ features }}

# Fail when a generated file is out of date
[group('files')]
check-gen: setup
    @scripts/gen --check {{ features }}

# Measure on this machine, as ratios: ./justw bench [cluster|NAME…]; `cluster` starts and stops the servers that it needs
[group('measure')]
bench *ARGS: setup
    @scripts/bench "$@"

# Measure the processor time that each hostile document takes to be refused
[group('measure')]
bench-guard: setup
    cargo build --release --bin doorbuster
    @scripts/graphql guard "${CARGO_TARGET_DIR:-target}/release/doorbuster"

# Remove what was fetched into .tools/
[group('files')]
clean-tools:
    rm -rf .tools

_cc:
    @scripts/cc

_protoc:
    @scripts/protoc

_frontend:
    @scripts/frontend build
