#!/usr/bin/env bash
# Turns the OpenAPI document of a running hub into Markdown. MAL_KEY is sent if it is set.
set -euo pipefail

host="{{host}}"
port="{{port}}"
output_path="{{output_path}}"

fail() { printf 'generate-api-docs: %s\n' "$1" >&2; exit "${2:-1}"; }

for tool in curl jq; do
  command -v "$tool" >/dev/null 2>&1 || fail "$tool is not installed"
done
[[ $host =~ ^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)$ ]] || fail "not a host name or address: $host" 2
if ! [[ $port =~ ^[1-9][0-9]{0,4}$ ]] || [ "$port" -gt 65535 ]; then fail "not a port: $port" 2; fi
case $output_path in -* | */) fail "not a file name: $output_path" 2 ;; esac
[ -d "$(dirname -- "$output_path")" ] || fail "no such directory: $(dirname -- "$output_path")" 2

scratch=$(mktemp -d)
trap 'rm -rf -- "$scratch"' EXIT
auth=()
if [ -n "${MAL_KEY:-}" ]; then auth=(--header "Authorization: Bearer $MAL_KEY"); fi

found=''
for path in /api/v1/openapi.json /openapi.json; do
  url="http://$host:$port$path"
  code=$(curl --silent --location --max-time 20 --output "$scratch/api.json" --write-out '%{http_code}' \
    "${auth[@]}" "$url" || true)
  case $code in
    200) found=$url; break ;;
    401 | 403) fail "$url refuses the key; set MAL_KEY" ;;
    000) fail "nothing answers at http://$host:$port" ;;
  esac
done
[ -n "$found" ] || fail "no OpenAPI document at http://$host:$port"
jq --exit-status '(.openapi | type == "string") and (.paths | type == "object")' "$scratch/api.json" >/dev/null 2>&1 ||
  fail "$found is no OpenAPI 3 document"

jq --raw-output '
  . as $doc
  | def ref: if type == "object" and has("$ref")
      then (.["$ref"] | ltrimstr("#/") | split("/") | map(gsub("~1"; "/") | gsub("~0"; "~"))) as $p | $doc | getpath($p) // {}
      else . end;
    def cell: tostring | gsub("\\s+"; " ") | gsub("\\|"; "\\|");
    def kind:
      if has("$ref") then .["$ref"] | split("/") | last
      elif has("enum") then "enum: " + ([.enum[] | tostring] | join(", "))
      elif (.type | type) == "array" then .type | join(" or ")
      elif .type == "array" then "array of " + ((.items // {}) | if type == "object" then kind else "any" end)
      else .type // "any" end;
    def row($name; $place; $required; $schema; $text):
      "| `\($name | cell)` | \($place) | \($schema | kind | cell) | \(if $required then "yes" else "no" end) | \($text // "" | cell) |";
    def body_rows: (ref.content["application/json"].schema // {}) as $raw
      | ($raw | ref) as $s
      | ($s.properties // {}) | to_entries[]
      | .key as $k | row($k; "body"; ($s.required // []) | index($k) != null; .value; .value.description);
    "# \(.info.title // "API") \(.info.version // "")", "",
    (.info.description // empty | ., ""),
    (.paths | to_entries[] | .key as $path | .value as $item
      | $item | to_entries[]
      | select(.key | IN("get", "post", "put", "patch", "delete", "head", "options"))
      | .key as $method | .value as $op
      | "## \($method | ascii_upcase) \($path)", "",
        ($op.summary // empty | ., ""),
        ($op.description // empty | select(. != $op.summary) | ., ""),
        ([((($item.parameters // []) + ($op.parameters // []))[] | ref
            | row(.name; .in; .required // false; .schema // {}; .description)),
          (($op.requestBody // {}) | body_rows)] as $rows
         | if ($rows | length) > 0
           then "| Field | In | Type | Required | Description |", "|---|---|---|---|---|", $rows[], ""
           else empty end),
        (($op.responses // {}) | to_entries
         | if length > 0
           then "| Answer | Meaning |", "|---|---|",
             (.[] | "| \(.key) | \(.value | ref | .description // "" | cell) |"), ""
           else empty end))
' "$scratch/api.json" >"$scratch/api.md" || fail "the document could not be converted"

cp -- "$scratch/api.md" "$output_path"
printf 'Wrote %s: %s operations from %s\n' "$output_path" "$(grep -c '^## ' "$scratch/api.md" || true)" "$found"
