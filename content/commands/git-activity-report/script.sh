#!/usr/bin/env bash
# Reports commits, files and lines per author of the current branch.
set -euo pipefail

repo_path="{{repo_path}}"
days="{{days}}"

fail() { printf 'git-activity-report: %s\n' "$1" >&2; exit "${2:-1}"; }

command -v git >/dev/null 2>&1 || fail "git is not installed"
[[ $days =~ ^[1-9][0-9]{0,4}$ ]] || fail "days must be a whole number from 1 to 99999: $days" 2
git -C "$repo_path" rev-parse --git-dir >/dev/null 2>&1 || fail "no git repository: $repo_path" 2
git -C "$repo_path" rev-parse --verify --quiet HEAD >/dev/null || fail "the branch has no commits yet"

mark=$'\001' # cannot occur in names, so it tells the line of a commit from that of a file
since=$(($(date +%s) - days * 86400))

printf 'Commits of the last %s days on %s, merges left out\n\n' \
  "$days" "$(git -C "$repo_path" rev-parse --abbrev-ref HEAD)"

git -C "$repo_path" -c core.quotePath=true --no-pager log --no-merges --no-renames --numstat \
  --since="@$since" --format="$mark%aN" |
  awk -F '\t' -v mark="$mark" '
    substr($0, 1, 1) == mark { author = substr($0, 2); commits[author]++; total++; next }
    NF >= 3 {
      if (!((author, $3) in seen)) { seen[author, $3] = 1; files[author]++ }
      # Binary files show "-" for both numbers and count no lines.
      added[author] += $1; removed[author] += $2
    }
    END {
      for (author in commits)
        printf "%d\t%d\t%d\t%d\t%s\n", commits[author], files[author], added[author], removed[author], author
      if (!total) print "none"
    }
  ' | LC_ALL=C sort -t "$(printf '\t')" -k1,1nr -k5,5 |
  awk -F '\t' '
    $0 == "none" { print "No commits."; exit }
    NR == 1 { printf "%8s %8s %8s %8s  %s\n", "Commits", "Files", "Added", "Removed", "Author" }
    {
      printf "%8d %8d %8d %8d  %s\n", $1, $2, $3, $4, $5
      commits += $1; added += $3; removed += $4
    }
    END { if (commits) printf "\n%d commits, %d lines added, %d removed, %d authors\n", commits, added, removed, NR }
  '
