# The two commands of the README and the names CI and developers use.
.PHONY: run build test bench api format check clean

run: build
	build/release/bin/mal up

build:
	tools/setup run
	cmake --preset release
	cmake --build --preset release

test:
	tools/setup test
	tests/run

bench: build
	tools/setup test
	build/release/bin/mal bench

# Refreshes what is generated and committed.
api: build
	cmake --build --preset release --target api

format:
	git ls-files '*.c' '*.h' | xargs clang-format -i

check:
	tools/check

clean:
	rm -rf build
