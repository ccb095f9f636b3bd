#!/usr/bin/env bash
# Checks the inputs before anything is built or sent, and names the caches.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

one_of command "$IN_COMMAND" compare run drift lint install
one_of on-missing-secret "$IN_ON_MISSING_SECRET" auto fail offline skip
one_of comment "$IN_COMMENT" auto on-failure never
one_of cache "$IN_CACHE" true false
one_of summary "$IN_SUMMARY" true false
one_of annotations "$IN_ANNOTATIONS" true false
IFS=, read -r -a names <<<"$IN_FAIL_ON"
for name in "${names[@]+"${names[@]}"}"; do
  one_of fail-on "${name// /}" gate_failed usage infra inconclusive
done

# A value that begins with a dash would be read as a flag; flags belong into `args`.
for pair in "baseline=$IN_BASELINE" "candidate=$IN_CANDIDATE" "gate-from=$IN_GATE_FROM" "shard=$IN_SHARD"; do
  value=${pair#*=}
  [[ $value == -* || $value == *$'\n'* ]] && usage "input ${pair%%=*} must be one line that does not begin with a dash"
done
[[ -z $IN_SHARD || $IN_SHARD =~ ^[0-9]+/[0-9]+$ ]] || usage 'input shard must read K/N, such as 1/4'
[[ $IN_COMMENT_ID =~ ^[A-Za-z0-9._-]{1,64}$ ]] || usage 'input comment-id may hold letters, digits, ".", "_" and "-"'
[[ -z $IN_CHECKSUM || $IN_CHECKSUM =~ ^[0-9a-f]{64}$ ]] || usage 'input checksum must be a SHA-256 in 64 lower-case hex digits'
[[ -z $IN_BASELINE || $IN_COMMAND == compare ]] || usage "input baseline belongs to compare, not to $IN_COMMAND"
[[ -z $IN_BASELINE || -n $IN_CANDIDATE ]] || usage 'input baseline needs candidate as well'
[[ -z $IN_CANDIDATE || $IN_COMMAND == compare || $IN_COMMAND == run ]] || usage "input candidate does not belong to $IN_COMMAND"
[[ -d $IN_WORKING_DIRECTORY ]] || usage 'input working-directory is no folder of the checkout: does a checkout step come first?'

# `pull_request_target` holds the secrets of the base repository: code of the head must not run under it.
if [[ ${GITHUB_EVENT_NAME:-} == pull_request_target ]]; then
  head=$(git -C "$IN_WORKING_DIRECTORY" rev-parse HEAD 2>/dev/null || true)
  [[ -n $head && $head == "${GITHUB_SHA:-}" ]] ||
    usage 'under pull_request_target this checkout is not the base branch: use the pull_request event'
fi

# The sources of the action are the version that it installs.
carried=v$(sed -n '/^version = /{s/.*"\(.*\)".*/\1/p;q;}' "$GITHUB_ACTION_PATH/Cargo.toml")
[[ $IN_VERSION == "$carried" ]] || usage "input version is $IN_VERSION, this action carries $carried: pin the action to the version you want"

sources=$(
  cd "$GITHUB_ACTION_PATH"
  find Cargo.toml Cargo.lock checksums.txt src -type f | LC_ALL=C sort | while IFS= read -r file; do
    printf '%s\n' "$file"
    cat "$file"
  done | git hash-object --stdin
)
temp=${RUNNER_TEMP//\\//}
output key "gate-bin-${RUNNER_OS:-any}-${RUNNER_ARCH:-any}-$sources"
output root "$temp/gate-$sources"
answers=$(printf '%s\n' "$IN_WORKING_DIRECTORY" "$IN_COMMAND" "$IN_SUITE" "$IN_SHARD" | git hash-object --stdin)
output answers "gate-answers-${RUNNER_OS:-any}-${answers:0:12}"
