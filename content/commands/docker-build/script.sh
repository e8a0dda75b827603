#!/usr/bin/env bash
# Builds and tags the images of a project, one per Dockerfile.
set -euo pipefail

project_root="{{project_root}}"
tag="{{tag}}"

fail() { printf 'docker-build: %s\n' "$1" >&2; exit "${2:-1}"; }

[[ $tag =~ ^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$ ]] || fail "not a valid image tag: $tag" 2
[ -d "$project_root" ] || fail "no such directory: $project_root" 2
command -v docker >/dev/null 2>&1 || fail "docker is not installed"
docker info >/dev/null 2>&1 || fail "docker is installed, but its daemon cannot be reached"
cd -- "$project_root"

# Image names are lower case with single separators.
clean() {
  printf '%s' "$1" | tr '[:upper:]' '[:lower:]' | sed -E 's/[^a-z0-9]+/-/g; s/^-+//; s/-+$//'
}
project=$(clean "$(basename -- "$PWD")")
[ -n "$project" ] || fail "cannot make an image name of the folder $PWD"

built=()
build() { # build <dockerfile> <context> <image>
  local image="$3:$tag"
  printf '\n== %s from %s\n' "$image" "$1"
  docker build --file "$1" --tag "$image" "$2" || fail "building $image failed"
  built+=("$image")
}

shopt -s nullglob
if [ -f Dockerfile ]; then build Dockerfile . "$project"; fi
# Dockerfile.worker and deploy/images/Dockerfile.worker see the whole project; worker/Dockerfile its own folder.
for file in Dockerfile.* deploy/images/Dockerfile.*; do
  part=$(clean "${file##*/Dockerfile.}")
  part="${part#dockerfile-}"
  [ "$part" = dockerignore ] || build "$file" . "$project-$part"
done
for file in deploy/images/*/Dockerfile; do
  build "$file" . "$project-$(clean "$(basename -- "$(dirname -- "$file")")")"
done
for file in */Dockerfile; do
  dir="${file%/Dockerfile}"
  case $dir in node_modules | vendor | build | dist | target) continue ;; esac
  build "$file" "$dir" "$project-$(clean "$dir")"
done

[ "${#built[@]}" -gt 0 ] || fail "no Dockerfile found in $project_root"
printf '\n%d images built:\n' "${#built[@]}"
printf '  %s\n' "${built[@]}"
