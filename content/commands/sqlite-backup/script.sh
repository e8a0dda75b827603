#!/usr/bin/env bash
# Writes a consistent copy of a SQLite database beside it, also while it is in use.
set -euo pipefail

db_path="{{db_path}}"

fail() { printf 'sqlite-backup: %s\n' "$1" >&2; exit "${2:-1}"; }

command -v sqlite3 >/dev/null 2>&1 || fail "sqlite3 is not installed"
[ -f "$db_path" ] || fail "no such file: $db_path" 2
[ -s "$db_path" ] || fail "the file is empty: $db_path" 2
[ "$(LC_ALL=C head -c 15 -- "$db_path")" = "SQLite format 3" ] || fail "not a SQLite database: $db_path" 2

# sqlite3 runs in the folder, so that no name can be mistaken for an option or a URI.
cd -- "$(dirname -- "$db_path")"
name=$(basename -- "$db_path")
stem="${name%.*}"
[ -n "$stem" ] || stem=$name
extension=db
case $name in ?*.?*) extension="${name##*.}" ;; esac
copy="./$stem-$(date -u +%Y%m%dT%H%M%SZ).$extension"
[ ! -e "$copy" ] || fail "the copy exists already: $copy"
partial="$copy.partial"
trap 'rm -f -- "$partial"' EXIT

# VACUUM INTO reads in one transaction, so it sees one state of the database, WAL included.
quoted=${partial//\'/\'\'}
sqlite3 -bail -batch -cmd '.timeout 10000' "./$name" "VACUUM INTO '$quoted'" || fail "the copy could not be made"
check=$(sqlite3 -batch "$partial" 'PRAGMA integrity_check') || fail "the copy cannot be read"
[ "$check" = ok ] || fail "the copy is damaged: $check"
mv -- "$partial" "$copy"
printf 'Copied %s to %s/%s (%s bytes)\n' "$name" "$PWD" "${copy#./}" "$(wc -c <"$copy" | tr -d ' ')"
