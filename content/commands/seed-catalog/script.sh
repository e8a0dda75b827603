#!/usr/bin/env bash
# Loads the starter catalog into the hub of a project; entries that are there already stay as they are.
# Settings of the hub come from .env.dev or .env.prod in the project, or from the environment.
set -euo pipefail

project_root="{{project_root}}"
env_name="{{env}}"

fail() { printf 'seed-catalog: %s\n' "$1" >&2; exit "${2:-1}"; }

[ -d "$project_root" ] || fail "no such directory: $project_root" 2
cd -- "$project_root"
[ -d content ] || fail "no folder content in $project_root" 2

find_mal() {
  local file
  for file in ./bin/mal ./build/release/bin/mal ./build/*/cli/mal ./build/*/bin/mal ./build/*/mal ./build/cli/mal; do
    if [ -f "$file" ] && [ -x "$file" ]; then printf '%s\n' "$file"; return 0; fi
  done
  command -v mal
}
mal=$(find_mal) || fail "the program mal is neither built in $project_root nor installed"

settings=".env.$env_name"
case $env_name in
  dev) options=(--sample) ;;
  prod)
    options=()
    # Without settings of its own a load for prod would reach whatever hub is the default.
    [ -f "$settings" ] || fail "$settings is missing in $project_root" 2
    ;;
  *) fail "env must be dev or prod: $env_name" 2 ;;
esac
if [ -f "$settings" ]; then
  set -a
  # shellcheck source=/dev/null
  . "./$settings"
  set +a
fi

# The hub refuses MAL_ variables that it does not know, so those of this script must not reach it.
unset "${!MAL_P_@}"
MAL_CONTENT_DIR="$PWD/content" "$mal" starter load "${options[@]}" || fail "loading into $env_name failed"
