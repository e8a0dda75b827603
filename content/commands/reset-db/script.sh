#!/usr/bin/env bash
# Replaces everything in a SQLite database with the empty tables of a schema. All data is lost.
set -euo pipefail

db_path="{{db_path}}"
schema_path="{{schema_path}}"

fail() { printf 'reset-db: %s\n' "$1" >&2; exit "${2:-1}"; }

command -v sqlite3 >/dev/null 2>&1 || fail "sqlite3 is not installed"
if [ ! -f "$schema_path" ] || [ ! -r "$schema_path" ]; then fail "cannot read the schema: $schema_path" 2; fi
[ -d "$(dirname -- "$db_path")" ] || fail "no such directory: $(dirname -- "$db_path")" 2
if [ -s "$db_path" ] && [ "$(LC_ALL=C head -c 15 -- "$db_path")" != "SQLite format 3" ]; then
  fail "not a SQLite database: $db_path" 2
fi

# The new content is built aside first: a mistake in the schema must not cost the old database.
scratch=$(mktemp -d)
trap 'rm -rf -- "$scratch"' EXIT
sqlite3 -bail -batch "$scratch/new.db" <"$schema_path" >/dev/null || fail "the schema has an error; nothing was changed"
tables=$(sqlite3 -batch "$scratch/new.db" \
  "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\_%' ESCAPE '\'")
[ "$tables" -gt 0 ] || fail "the schema creates no table; nothing was changed"

# .restore overwrites the whole database in one transaction and respects the locks of other programs.
scratch=$(cd -- "$scratch" && pwd -P)
case $scratch in *[\"\\]*) fail "the folder for temporary files has an unusual name: $scratch" ;; esac
cd -- "$(dirname -- "$db_path")"
name=$(basename -- "$db_path")
sqlite3 -bail -batch -cmd '.timeout 10000' "./$name" ".restore \"$scratch/new.db\"" ||
  fail "the database is in use or cannot be written; nothing was changed"

check=$(sqlite3 -batch "./$name" 'PRAGMA integrity_check') || fail "the new database cannot be read"
[ "$check" = ok ] || fail "the new database is damaged: $check"
printf 'Reset %s: %s tables, all from the schema\n' "$name" "$tables"
