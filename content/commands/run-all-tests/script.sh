#!/usr/bin/env bash
# Runs every test suite found in a project and its direct sub-projects.
set -euo pipefail

project_root="{{project_root}}"

fail() { printf 'run-all-tests: %s\n' "$1" >&2; exit "${2:-1}"; }

[ -d "$project_root" ] || fail "no such directory: $project_root" 2
cd -- "$project_root"
passed=()
failed=()

# run_suite <folder> <tool> <arguments>...: a missing tool is a failure, since the suite did not run.
run_suite() {
  local dir=$1 name
  shift
  name="$dir: $*"
  printf '\n== %s\n' "$name"
  if ! command -v "$1" >/dev/null 2>&1; then
    printf '%s is not installed\n' "$1" >&2
    failed+=("$name")
  elif (cd -- "$dir" && "$@"); then
    passed+=("$name")
  else
    failed+=("$name")
  fi
}

has_npm_test() {
  [ -f "$1/package.json" ] && grep -qE '"test"[[:space:]]*:' "$1/package.json" &&
    ! grep -q 'no test specified' "$1/package.json"
}

has_pytest() {
  [ -f "$1/pytest.ini" ] || [ -f "$1/conftest.py" ] || [ -f "$1/tests/conftest.py" ] ||
    { [ -f "$1/pyproject.toml" ] && grep -q 'pytest' "$1/pyproject.toml"; }
}

# A Makefile with a target test speaks for its folder; otherwise every suite of the folder is run.
run_folder() {
  local dir=$1
  if [ -f "$dir/Makefile" ] && grep -qE '^test:' "$dir/Makefile"; then
    run_suite "$dir" make test
    return
  fi
  if has_npm_test "$dir"; then run_suite "$dir" npm test; fi
  if has_pytest "$dir"; then run_suite "$dir" python3 -m pytest; fi
  if [ -f "$dir/go.mod" ]; then run_suite "$dir" go test ./...; fi
  if [ -f "$dir/Cargo.toml" ]; then run_suite "$dir" cargo test; fi
  if [ -f "$dir/build/CTestTestfile.cmake" ]; then
    run_suite "$dir" ctest --test-dir build --output-on-failure --no-tests=error
  fi
}

run_folder .
# What make test of the root covers is not run a second time.
if [ ! -f Makefile ] || ! grep -qE '^test:' Makefile; then
  for sub in */; do
    sub="${sub%/}"
    case $sub in node_modules | vendor | build | dist | target | '*') continue ;; esac
    run_folder "$sub"
  done
fi

[ $((${#passed[@]} + ${#failed[@]})) -gt 0 ] || fail "no test suite found in $project_root"

printf '\n== Result\n'
for name in "${passed[@]}"; do printf 'passed  %s\n' "$name"; done
for name in "${failed[@]}"; do printf 'FAILED  %s\n' "$name"; done
printf '%d passed, %d failed\n' "${#passed[@]}" "${#failed[@]}"
[ "${#failed[@]}" -eq 0 ]
