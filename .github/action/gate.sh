#!/usr/bin/env bash
# Turns the inputs into one command line, runs it, and keeps its exit code for the last step.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

output verdict error
output exit-code 3
output lenient false
cd "$IN_WORKING_DIRECTORY"

is_pull_request=false
is_fork=false
case ${GITHUB_EVENT_NAME:-} in
  pull_request | pull_request_review | pull_request_target)
    is_pull_request=true
    # A deleted fork has no name.
    [[ $EVENT_HEAD_REPOSITORY == "$GITHUB_REPOSITORY" ]] || is_fork=true
    ;;
  merge_group) is_pull_request=true ;;
esac

# Flags that a later version of the binary brings are used from then on.
supports() { [[ $("$GATE_BIN" "$IN_COMMAND" --help 2>/dev/null) == *"$1"* ]]; }

# The commit that this change goes onto: the first parent of the merge commit that is checked out, else the event's base.
base_commit() {
  local base=$EVENT_BASE_SHA first second rest
  if [[ $(git rev-parse HEAD 2>/dev/null) == "${GITHUB_SHA:-}" ]]; then
    # The commit itself names its parents, also where a shallow checkout does not hold them.
    read -r first second rest < <(git cat-file -p HEAD | sed -n '/^$/q; s/^parent //p' | tr '\n' ' '; echo)
    [[ -n $second && -z $rest ]] && base=$first
  fi
  [[ $base =~ ^[0-9a-f]{40,64}$ ]] || return 1
  if ! git cat-file -e "$base^{commit}" 2>/dev/null; then
    git fetch --quiet --no-tags --no-recurse-submodules --depth=1 origin "$base" >&2 || return 1
  fi
  printf '%s' "$base"
}

args=("$IN_COMMAND")
case $IN_COMMAND in
  compare)
    [[ -n $IN_BASELINE ]] && args+=("$IN_BASELINE")
    [[ -n $IN_CANDIDATE ]] && args+=("$IN_CANDIDATE")
    ;;
  run) [[ -n $IN_CANDIDATE ]] && args+=("$IN_CANDIDATE") ;;
esac
while IFS= read -r suite || [[ -n $suite ]]; do
  suite=${suite%$'\r'}
  [[ -n $suite ]] && args+=("--suite=$suite")
done <<<"$IN_SUITE"
[[ -n $IN_SHARD ]] && args+=("--shard=$IN_SHARD")

if [[ $IN_COMMAND != lint ]]; then
  reports=$(mktemp -d "${RUNNER_TEMP//\\//}/gate-reports.XXXXXX")
  args+=("--junit=$reports/gate.junit.xml" "--json=$reports/gate.json" "--markdown=$reports/gate.md")
  supports --html && args+=("--html=$reports/gate.html")
fi

# One argument a line, taken to the letter: no word splitting, no expansion, no quotes to balance.
extra=()
while IFS= read -r line || [[ -n $line ]]; do
  line=${line%$'\r'}
  [[ -n $line ]] && extra+=("$line")
done <<<"$IN_ARGS"
gives() {
  local argument
  for argument in "${extra[@]+"${extra[@]}"}"; do
    [[ $argument == "$1" || $argument == "$1="* ]] && return 0
  done
  return 1
}

if [[ $is_pull_request == true && -z $IN_CANDIDATE && $IN_COMMAND =~ ^(compare|run)$ ]] && ! gives --changed-since; then
  if ! base=$(base_commit); then
    usage 'the commit that this change goes onto cannot be fetched: check out with fetch-depth 2, or give baseline and candidate'
  fi
  if [[ $IN_COMMAND == compare ]] || supports --changed-since; then
    args+=("--changed-since=$base")
  fi
fi

case $IN_GATE_FROM in
  head) ;;
  auto)
    if [[ $is_fork == true && $IN_COMMAND != lint ]]; then
      if supports --gate-from; then
        base=${base:-$(base_commit)} || usage 'the base commit, whose rules judge a pull request from a fork, cannot be fetched'
        args+=("--gate-from=$base")
      else
        warn 'This pull request from a fork is judged by the suite and data that it brings: read their changes first.'
      fi
    fi
    ;;
  *) args+=("--gate-from=$IN_GATE_FROM") ;;
esac

if ! has_key && [[ $IN_COMMAND != lint ]]; then
  case $IN_ON_MISSING_SECRET in
    auto)
      if [[ $is_fork == true ]]; then
        gives --offline || args+=(--offline)
        output lenient true
        note 'No key here, as this pull request comes from a fork: only stored answers are used, and the verdict is at best inconclusive. A maintainer can run the gate again with the key.'
      fi
      ;;
    offline) gives --offline || args+=(--offline) ;;
    skip)
      note 'No key here, and on-missing-secret is skip: nothing was asked and nothing was judged.'
      output verdict skipped
      output exit-code 0
      exit 0
      ;;
    fail) ;;
  esac
fi

if [[ $IN_COMMENT != never && $is_pull_request == true && ${GITHUB_EVENT_NAME:-} != merge_group && $is_fork == false && -n $IN_GITHUB_TOKEN ]] && supports --github-comment; then
  args+=(--github-comment)
  export GITHUB_TOKEN=$IN_GITHUB_TOKEN GATE_COMMENT=$IN_COMMENT GATE_COMMENT_ID=$IN_COMMENT_ID
fi
[[ $IN_SUMMARY == true ]] || unset GITHUB_STEP_SUMMARY

if [[ $IN_ANNOTATIONS == false ]]; then
  token=gate-$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  printf '::stop-commands::%s\n' "$token"
fi
code=0
"$GATE_BIN" "${args[@]}" "${extra[@]+"${extra[@]}"}" </dev/null || code=$?
if [[ $IN_ANNOTATIONS == false ]]; then
  printf '::%s::\n' "$token"
fi

# The binary writes the verdict. Where a command forms none, success means that there was nothing to judge.
written=$(sed -n 's/^verdict=//p' "$GITHUB_OUTPUT" | tail -n 1)
if [[ $code -eq 0 && $written == error ]] && ! grep -q '^verdict<<' "$GITHUB_OUTPUT"; then
  output verdict skipped
fi
output exit-code "$code"
