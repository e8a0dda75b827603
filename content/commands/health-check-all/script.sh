#!/usr/bin/env bash
# Asks the hub and the web page for their health. HUB_PORT (8420) and MAL_KEY are read from the environment.
set -euo pipefail

host="{{host}}"
frontend_port="{{frontend_port}}"
hub_port="${HUB_PORT:-8420}"

fail() { printf 'health-check-all: %s\n' "$1" >&2; exit "${2:-1}"; }

command -v curl >/dev/null 2>&1 || fail "curl is not installed"
[[ $host =~ ^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)$ ]] || fail "not a host name or address: $host" 2
for port in "$frontend_port" "$hub_port"; do
  if ! [[ $port =~ ^[1-9][0-9]{0,4}$ ]] || [ "$port" -gt 65535 ]; then fail "not a port: $port" 2; fi
done

if [ -z "${NO_COLOR:-}" ]; then
  green=$'\e[32m' yellow=$'\e[33m' red=$'\e[31m' plain=$'\e[0m'
else
  green='' yellow='' red='' plain=''
fi

down=0
show() {
  local colour=$green
  case $1 in
    WARN) colour=$yellow ;;
    DOWN) colour=$red; down=$((down + 1)) ;;
  esac
  printf '%s%-4s%s  %-4s  %s\n' "$colour" "$1" "$plain" "$2" "$3"
}

body=$(mktemp)
trap 'rm -f -- "$body"' EXIT

# ask <url> [curl options]: prints the status code, 000 when nothing answers; the body goes to the file.
ask() {
  local url=$1
  shift
  : >"$body"
  curl --silent --location --max-time 10 --output "$body" --write-out '%{http_code}' "$@" "$url" || true
}

auth=()
if [ -n "${MAL_KEY:-}" ]; then auth=(--header "Authorization: Bearer $MAL_KEY"); fi

hub_url="http://$host:$hub_port/api/v1/health"
code=$(ask "$hub_url" "${auth[@]}")
case $code in
  200)
    status=$(tr -d ' \n\r\t' <"$body" | sed -n 's/^{"status":"\([a-z]*\)".*/\1/p')
    [ -n "$status" ] || status=$(grep -oE '"status" *: *"(ok|degraded|down)"' "$body" | head -n 1 | grep -oE '(ok|degraded|down)' || true)
    case $status in
      ok) show OK hub "$hub_url: ok" ;;
      degraded) show WARN hub "$hub_url: degraded, a downstream server fails" ;;
      down) show DOWN hub "$hub_url: a service, its database or the bus is down" ;;
      *) show DOWN hub "$hub_url: answers, but not like a hub" ;;
    esac
    ;;
  401 | 403) show WARN hub "$hub_url: reachable, but refuses the key; set MAL_KEY to see more" ;;
  000) show DOWN hub "$hub_url: no answer" ;;
  *) show DOWN hub "$hub_url: HTTP $code" ;;
esac

web_url="http://$host:$frontend_port/"
code=$(ask "$web_url")
case $code in
  2??) show OK web "$web_url: HTTP $code" ;;
  000) show DOWN web "$web_url: no answer" ;;
  *) show DOWN web "$web_url: HTTP $code" ;;
esac

[ "$down" -eq 0 ] || fail "$down of 2 are down"
