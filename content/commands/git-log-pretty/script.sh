#!/usr/bin/env bash
# Shows the history of all branches as a graph.
set -euo pipefail

repo_path="{{repo_path}}"
count="{{count}}"

fail() { printf 'git-log-pretty: %s\n' "$1" >&2; exit "${2:-1}"; }

command -v git >/dev/null 2>&1 || fail "git is not installed"
[[ $count =~ ^[1-9][0-9]{0,5}$ ]] || fail "count must be a whole number from 1 to 999999: $count" 2
git -C "$repo_path" rev-parse --git-dir >/dev/null 2>&1 || fail "no git repository: $repo_path" 2
if [ -z "$(git -C "$repo_path" rev-list --all --max-count=1)" ]; then
  echo "The repository has no commits yet."
  exit 0
fi

colour=always
if [ -n "${NO_COLOR:-}" ]; then colour=never; fi
git -C "$repo_path" --no-pager log --all --graph --decorate --color="$colour" --max-count="$count" \
  --date=short --pretty=tformat:'%C(yellow)%h%C(reset) %C(green)%ad%C(reset)%C(auto)%d%C(reset) %s %C(blue)<%an>%C(reset)'
