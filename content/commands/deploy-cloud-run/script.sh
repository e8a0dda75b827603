#!/usr/bin/env bash
# Builds the project with Cloud Build, deploys it to Cloud Run and tests that it answers.
# Optional environment: SERVICE (folder name), REPOSITORY (apps), SMOKE_PATH (/).
set -euo pipefail

project_root="{{project_root}}"
project_id="{{project_id}}"
region="{{region}}"
tag="{{tag}}"
repository="${REPOSITORY:-apps}"
smoke_path="${SMOKE_PATH:-/}"

fail() { printf 'deploy-cloud-run: %s\n' "$1" >&2; exit "${2:-1}"; }

[ -d "$project_root" ] || fail "no such directory: $project_root" 2
[[ $project_id =~ ^[a-z][a-z0-9-]{4,28}[a-z0-9]$ ]] || fail "not a project id: $project_id" 2
[[ $region =~ ^[a-z]+-[a-z]+[0-9]+$ ]] || fail "not a region: $region" 2
[[ $tag =~ ^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$ ]] || fail "not a valid image tag: $tag" 2
[[ $smoke_path == /* ]] || fail "SMOKE_PATH must begin with /" 2
cd -- "$project_root"
[ -f Dockerfile ] || fail "no Dockerfile in $project_root" 2
for tool in gcloud curl; do
  command -v "$tool" >/dev/null 2>&1 || fail "$tool is not installed"
done
[ -n "$(gcloud auth list --filter=status:ACTIVE --format='value(account)')" ] ||
  fail "no active account; run: gcloud auth login"

service="${SERVICE:-$(basename -- "$PWD")}"
service=$(printf '%s' "$service" | tr '[:upper:]' '[:lower:]' | sed -E 's/[^a-z0-9]+/-/g; s/^[-0-9]+//; s/-+$//' | cut -c1-49)
service="${service%-}"
[ -n "$service" ] || fail "cannot make a service name of the folder; set SERVICE" 2
image="$region-docker.pkg.dev/$project_id/$repository/$service:$tag"

if ! gcloud artifacts repositories describe "$repository" \
  --project="$project_id" --location="$region" >/dev/null 2>&1; then
  echo "Creating the image repository $repository in $region."
  gcloud artifacts repositories create "$repository" --project="$project_id" \
    --location="$region" --repository-format=docker --quiet ||
    fail "cannot create the repository $repository; is the Artifact Registry API enabled?"
fi

echo "Building $image"
gcloud builds submit . --project="$project_id" --tag="$image" --quiet || fail "the build failed"

echo "Deploying $service to $region"
gcloud run deploy "$service" --project="$project_id" --region="$region" --image="$image" --quiet ||
  fail "the deployment failed; the log of the revision says why"

url=$(gcloud run services describe "$service" --project="$project_id" --region="$region" --format='value(status.url)')
[ -n "$url" ] || fail "the service has no URL"

# A private service answers 403 to strangers; then the caller's identity token is used.
smoke() {
  local auth=() code token attempt
  for attempt in 1 2 3 4 5; do
    code=$(curl --silent --output /dev/null --max-time 20 --write-out '%{http_code}' "${auth[@]}" "$url$smoke_path" || true)
    case $code in
      2?? | 3??) return 0 ;;
      401 | 403)
        [ "${#auth[@]}" -eq 0 ] || break
        token=$(gcloud auth print-identity-token) || break
        auth=(--header "Authorization: Bearer $token")
        ;;
    esac
    echo "Attempt $attempt: HTTP $code" >&2
    sleep 3
  done
  return 1
}
smoke || fail "$url$smoke_path does not answer as it should; the new revision is deployed"
printf 'Deployed and answering: %s\n' "$url"
