# The two commands of the README and the names CI and developers use.
.PHONY: run build test bench api config format check clean

run: build
	build/release/bin/mal up

build:
	tools/setup run
	cmake --preset release
	cmake --build --preset release --target hub

test:
	tools/setup test
	tests/run

bench: build
	tools/setup bench
	cmake --build --preset release --target mal-bench-server mal-bench-gateway
	build/release/bin/mal bench

# Refreshes what is generated and committed.
api: build
	cmake --build --preset release --target api

# The reference of settings, from what the binaries say of themselves.
config: build
	tools/config-docs build/release >docs/config.md

format:
	git ls-files '*.c' '*.h' | xargs clang-format -i

check:
	tools/check

clean:
	rm -rf build
