#!/usr/bin/env bash
# Creates feature/mal-<id>-<description> from the newest dev and switches to it.
set -euo pipefail

repo_path="{{repo_path}}"
id="{{id}}"
description="{{description}}"

fail() { printf 'create-feature-branch: %s\n' "$1" >&2; exit "${2:-1}"; }
git_() { git -C "$repo_path" "$@"; }

# slug <text> <longest>: lower-case words joined by hyphens.
slug() {
  printf '%s' "$1" | tr '[:upper:]' '[:lower:]' |
    LC_ALL=C sed -E 's/[^a-z0-9]+/-/g; s/^-+//; s/-+$//' | cut -c"1-$2" | sed -E 's/-+$//'
}

command -v git >/dev/null 2>&1 || fail "git is not installed"
git_ rev-parse --is-inside-work-tree >/dev/null 2>&1 || fail "no git work tree: $repo_path" 2

id=$(slug "$id" 40)
id="${id#mal-}" # both 42 and MAL-42 are understood
description=$(slug "$description" 50)
[ -n "$id" ] || fail "the id needs a letter or a digit" 2
[ -n "$description" ] || fail "the description needs a letter or a digit" 2
branch="feature/mal-$id-$description"

git_ show-ref --verify --quiet "refs/heads/$branch" && fail "the branch $branch exists already"
[ -z "$(git_ status --porcelain --untracked-files=no)" ] ||
  fail "there are uncommitted changes; commit or stash them first"

if git_ remote get-url origin >/dev/null 2>&1; then
  git_ fetch --quiet origin || fail "cannot fetch from origin, so the newest dev is not known"
fi

local_dev=$(git_ rev-parse --verify --quiet 'refs/heads/dev^{commit}' || true)
remote_dev=$(git_ rev-parse --verify --quiet 'refs/remotes/origin/dev^{commit}' || true)
if [ -z "$local_dev$remote_dev" ]; then
  fail "there is no branch dev, neither here nor at origin"
elif [ -z "$remote_dev" ]; then
  base=$local_dev
elif [ -z "$local_dev" ] || git_ merge-base --is-ancestor "$local_dev" "$remote_dev"; then
  base=$remote_dev
elif git_ merge-base --is-ancestor "$remote_dev" "$local_dev"; then
  base=$local_dev
  echo "Note: the local dev has commits that origin does not have yet." >&2
else
  fail "dev and origin/dev have diverged; bring them together first"
fi

git_ switch --quiet --no-track --create "$branch" "$base"
printf 'Created %s from %s\n' "$branch" "$(git_ log -1 --format='%h %s' "$base")"
