#!/usr/bin/env bash
# Deletes local branches that are merged into dev or main.
set -euo pipefail

repo_path="{{repo_path}}"

fail() { printf 'git-branch-cleanup: %s\n' "$1" >&2; exit "${2:-1}"; }
git_() { git -C "$repo_path" "$@"; }

command -v git >/dev/null 2>&1 || fail "git is not installed"
git_ rev-parse --git-dir >/dev/null 2>&1 || fail "no git repository: $repo_path" 2

bases=()
for ref in refs/heads/dev refs/heads/main refs/remotes/origin/dev refs/remotes/origin/main; do
  if git_ show-ref --verify --quiet "$ref"; then bases+=("$ref"); fi
done
[ "${#bases[@]}" -gt 0 ] || fail "there is neither a branch dev nor main"

# Branches that a work tree has checked out, the current one included, cannot be deleted.
in_use=$(git_ worktree list --porcelain | sed -n 's,^branch refs/heads/,,p')

merged() {
  local base
  for base in "${bases[@]}"; do
    if git_ merge-base --is-ancestor "refs/heads/$1" "$base"; then return 0; fi
  done
  return 1
}

deleted=0 kept=0
while IFS= read -r branch; do
  case $branch in dev | main | master) continue ;; esac
  if ! merged "$branch"; then
    kept=$((kept + 1))
  elif grep -qxF -e "$branch" <<<"$in_use"; then
    printf 'kept     %s (checked out)\n' "$branch"
    kept=$((kept + 1))
  else
    # The hash is printed so that "git branch <name> <hash>" can bring it back.
    hash=$(git_ rev-parse --short "refs/heads/$branch")
    git_ branch --quiet -D -- "$branch"
    printf 'deleted  %s (was %s)\n' "$branch" "$hash"
    deleted=$((deleted + 1))
  fi
done < <(git_ for-each-ref --format='%(refname:lstrip=2)' refs/heads)

printf '%d deleted, %d kept\n' "$deleted" "$kept"
