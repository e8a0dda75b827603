#!/usr/bin/env bash
# Starts the development stack of a project and waits until it is healthy.
set -euo pipefail

project_root="{{project_root}}"
api_key="{{mcp_api_key}}"
wait_s=180

fail() { printf 'start-dev-stack: %s\n' "$1" >&2; exit "${2:-1}"; }
need() { command -v "$1" >/dev/null 2>&1 || fail "$1 is not installed"; }

[ -d "$project_root" ] || fail "no such directory: $project_root" 2
cd -- "$project_root"
[ "${#api_key}" -ge 8 ] || fail "mcp_api_key must have at least 8 characters" 2
[[ $api_key =~ ^[[:graph:]]+$ ]] || fail "mcp_api_key must not contain spaces or control characters" 2
# The project takes the key from MCP_API_KEY. The hub refuses MAL_ variables that it does not know, so those of
# this script must not reach it.
export MCP_API_KEY="$api_key"
unset "${!MAL_P_@}"

# Every variable that .env.example names has to be set, in .env or in the environment.
check_settings() {
  local line name missing=()
  [ -f .env.example ] || return 0
  while IFS= read -r line || [ -n "$line" ]; do
    [[ $line =~ ^[[:space:]]*(export[[:space:]]+)?([A-Za-z_][A-Za-z0-9_]*)= ]] || continue
    name="${BASH_REMATCH[2]}"
    [ -n "${!name:-}" ] && continue
    [ -f .env ] && grep -qE "^[[:space:]]*(export[[:space:]]+)?${name}=." .env && continue
    missing+=("$name")
  done <.env.example
  [ "${#missing[@]}" -eq 0 ] || fail "not set (see .env.example): ${missing[*]}" 2
}

# A connection that succeeds means that another program listens there.
port_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

check_ports() {
  local port taken=()
  for port in "$@"; do
    if port_taken "$port"; then taken+=("$port"); fi
  done
  [ "${#taken[@]}" -eq 0 ] || fail "ports already in use on 127.0.0.1: ${taken[*]}"
}

compose_file() {
  local name
  for name in compose.yaml compose.yml docker-compose.yaml docker-compose.yml; do
    if [ -f "$name" ]; then printf '%s\n' "$name"; return 0; fi
  done
  return 1
}

start_compose() {
  local file=$1 ports=()
  need docker
  docker info >/dev/null 2>&1 || fail "docker is installed, but its daemon cannot be reached"
  docker compose version >/dev/null 2>&1 || fail "the docker compose plugin is not installed"
  docker compose -f "$file" config --quiet || fail "$file is not valid"
  if [ -n "$(docker compose -f "$file" ps --quiet --status running)" ]; then
    echo "The stack already runs; bringing it up to date."
  else
    mapfile -t ports < <(docker compose -f "$file" config |
      sed -n 's/^ *published: "\{0,1\}\([0-9]\{1,5\}\)"\{0,1\}$/\1/p' | sort -nu)
    [ "${#ports[@]}" -eq 0 ] || check_ports "${ports[@]}"
  fi
  if ! docker compose -f "$file" up --detach --build --wait --wait-timeout "$wait_s"; then
    docker compose -f "$file" ps --all >&2 || true
    docker compose -f "$file" logs --no-color --tail=50 >&2 || true
    fail "the stack did not become healthy within $wait_s s; its last words are above"
  fi
  docker compose -f "$file" ps
}

start_make() {
  local port="${HUB_PORT:-8420}" log pid code deadline
  need make
  need curl
  check_ports "$port"
  log=$(mktemp "${TMPDIR:-/tmp}/start-dev-stack.XXXXXX")
  set -m # a process group of its own, so that a failed start leaves nothing behind
  nohup make run >"$log" 2>&1 </dev/null &
  pid=$!
  set +m
  deadline=$((SECONDS + wait_s))
  while :; do
    if ! kill -0 "$pid" 2>/dev/null; then
      tail -n 50 "$log" >&2
      fail "'make run' ended before it was healthy; its last words are above"
    fi
    # An answer that is no server error means that it works; 401 only asks for a key.
    code=$(curl --silent --output /dev/null --max-time 3 --write-out '%{http_code}' \
      --header "Authorization: Bearer $api_key" "http://127.0.0.1:$port/" || true)
    case $code in [234]??) break ;; esac
    if [ "$SECONDS" -ge "$deadline" ]; then
      tail -n 50 "$log" >&2
      kill -- "-$pid" 2>/dev/null || true
      fail "no answer on port $port within $wait_s s; the last words are above"
    fi
    sleep 1
  done
  printf 'Running as process %s, log in %s\n' "$pid" "$log"
}

check_settings
if file=$(compose_file); then
  start_compose "$file"
elif [ -f Makefile ] && grep -qE '^run:' Makefile; then
  start_make
else
  fail "neither a compose file nor a Makefile with a target run in $project_root"
fi
echo "The development stack is healthy."
