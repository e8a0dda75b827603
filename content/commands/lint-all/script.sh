#!/usr/bin/env bash
# Runs the linters for which a project has settings or files, in its root and direct sub-folders.
set -euo pipefail

project_root="{{project_root}}"

fail() { printf 'lint-all: %s\n' "$1" >&2; exit "${2:-1}"; }

[ -d "$project_root" ] || fail "no such directory: $project_root" 2
cd -- "$project_root"
shopt -s nullglob
passed=()
failed=()
skipped=()

# lint <folder> <tool> <arguments>...: a linter that is not installed is a skip, and is counted.
lint() {
  local dir=$1 name="$1: $2"
  shift
  if ! command -v "$1" >/dev/null 2>&1; then
    skipped+=("$name (not installed)")
    return
  fi
  printf '\n== %s\n' "$name"
  if (cd -- "$dir" && "$@"); then passed+=("$name"); else failed+=("$name"); fi
}

# Files of the project with one of the endings, without what is generated or foreign.
files_of() {
  local ending
  if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
    for ending in "$@"; do git ls-files -z -- "*.$ending"; done
  else
    for ending in "$@"; do
      find . \( -name node_modules -o -name .git -o -name build -o -name dist -o -name target -o -name vendor \) \
        -prune -o -type f -name "*.$ending" -print0
    done
  fi
}

lint_folder() {
  local dir=$1
  if [ -f "$dir/package.json" ] && grep -qE '"lint"[[:space:]]*:' "$dir/package.json"; then
    lint "$dir" npm run lint
  fi
  if [ -f "$dir/ruff.toml" ] || { [ -f "$dir/pyproject.toml" ] && grep -q 'tool.ruff' "$dir/pyproject.toml"; }; then
    lint "$dir" ruff check .
  fi
  if [ -f "$dir/go.mod" ]; then lint "$dir" go vet ./...; fi
  if [ -f "$dir/Cargo.toml" ]; then lint "$dir" cargo clippy --all-targets -- -D warnings; fi
  if [ -f "$dir/Dockerfile" ]; then lint "$dir" hadolint Dockerfile; fi
}

lint_folder .
for sub in */; do
  sub="${sub%/}"
  case $sub in node_modules | vendor | build | dist | target) continue ;; esac
  lint_folder "$sub"
done

mapfile -d '' -t scripts < <(files_of sh bash)
if [ "${#scripts[@]}" -gt 0 ]; then lint . shellcheck -- "${scripts[@]}"; fi
if [ -f .clang-format ]; then
  mapfile -d '' -t sources < <(files_of c h cc cpp hpp)
  if [ "${#sources[@]}" -gt 0 ]; then lint . clang-format --dry-run --Werror -- "${sources[@]}"; fi
fi
if [ -f .yamllint ] || [ -f .yamllint.yaml ] || [ -f .yamllint.yml ]; then lint . yamllint .; fi

[ $((${#passed[@]} + ${#failed[@]} + ${#skipped[@]})) -gt 0 ] || fail "nothing to lint found in $project_root"

printf '\n== Result\n'
for name in "${passed[@]}"; do printf 'passed   %s\n' "$name"; done
for name in "${skipped[@]}"; do printf 'skipped  %s\n' "$name"; done
for name in "${failed[@]}"; do printf 'FAILED   %s\n' "$name"; done
printf '%d passed, %d failed, %d skipped\n' "${#passed[@]}" "${#failed[@]}" "${#skipped[@]}"
[ "${#failed[@]}" -eq 0 ] || exit 1
[ "${#passed[@]}" -gt 0 ] || fail "no linter could run"
