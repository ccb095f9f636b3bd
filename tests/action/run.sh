#!/usr/bin/env bash
# Runs the shell steps of action.yml with a fake `gate`, fake runner files and real git checkouts.
# No network, no keys; needs bash and git. The last line says how many checks passed.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
steps=$root/.github/action
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0
failed=0

export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
export GIT_AUTHOR_NAME=test GIT_AUTHOR_EMAIL=test@example.com GIT_COMMITTER_NAME=test GIT_COMMITTER_EMAIL=test@example.com
for name in $(compgen -e | grep -E '^(GITHUB|RUNNER|GATE|IN)_|_API_KEY$|^AWS_BEARER' || true); do unset "$name"; done

# --- Checkouts: one repository, a pull request's merge commit, and a shallow checkout of it, as a runner makes it.
upstream=$work/upstream
git init --quiet --initial-branch=main "$upstream"
commit() { git -C "$upstream" commit --quiet --allow-empty --message "$1" && git -C "$upstream" rev-parse HEAD; }
commit start >/dev/null
git -C "$upstream" switch --quiet --create head
head=$(commit head)
git -C "$upstream" switch --quiet main
base=$(commit base)
git -C "$upstream" merge --quiet --no-ff --message merge head
merge=$(git -C "$upstream" rev-parse HEAD)
checkout() {
  git clone --quiet --depth=1 --branch "$2" "file://$upstream" "$1"
}
git -C "$upstream" tag merged "$merge"
checkout "$work/merged" merged 2>/dev/null
checkout "$work/headed" head 2>/dev/null

# --- The fake binary: notes its arguments and what it could see, writes outputs, ends as told.
cat >"$work/gate" <<'FAKE'
#!/usr/bin/env bash
if [[ ${2:-} == --help ]]; then
  printf '%s\n' "${FAKE_HELP:-}"
  for _ in {1..5000}; do echo 'a long help text, as a broken pipe would show'; done
  exit 0
fi
printf '<%s>\n' "$@" >"$FAKE_SEEN/args"
env >"$FAKE_SEEN/env"
cat >"$FAKE_SEEN/stdin"
echo '::error::from the binary'
[[ -n ${FAKE_VERDICT:-} ]] && printf 'verdict=%s\njunit-path=x.xml\n' "$FAKE_VERDICT" >>"$GITHUB_OUTPUT"
exit "${FAKE_CODE:-0}"
FAKE
chmod +x "$work/gate"

# act NAME=VALUE...: runs the steps with the defaults of action.yml and these changes; sets code, args, outputs, log.
act() {
  rm -rf "$work/run"
  mkdir -p "$work/run/temp"
  : >"$work/run/outputs"
  local settings=(
    RUNNER_TEMP="$work/run/temp" RUNNER_OS=Linux RUNNER_ARCH=X64
    GITHUB_ACTIONS=true GITHUB_OUTPUT="$work/run/outputs" GITHUB_STEP_SUMMARY="$work/run/summary"
    GITHUB_ACTION_PATH="$root" GITHUB_REPOSITORY=owner/repository GITHUB_EVENT_NAME=push GITHUB_SHA="$merge"
    EVENT_BASE_SHA='' EVENT_HEAD_REPOSITORY=''
    GATE_BIN="$work/gate" FAKE_SEEN="$work/run"
    IN_WORKING_DIRECTORY="$work/merged" IN_GITHUB_TOKEN=token
  )
  while IFS='=' read -r input value; do
    settings+=("IN_$input=$value")
  done <"$work/defaults"
  settings+=("$@")
  code=0
  log=$(
    exec 2>"$work/run/stderr"
    export "${settings[@]}"
    bash "$steps/prepare.sh" </dev/null && bash "$steps/gate.sh" </dev/null
  ) || code=$?
  args=$(cat "$work/run/args" 2>/dev/null)
  if [[ $code -eq 0 ]]; then
    settings+=("GATE_EXIT_CODE=$(last exit-code)" "GATE_LENIENT=$(last lenient)")
    log+=$(
      export "${settings[@]}"
      bash "$steps/finish.sh"
    ) || code=$?
  fi
}
last() { sed -n "s/^$1=//p" "$work/run/outputs" | tail -n 1; }

# The defaults of the inputs, as the action declares them.
awk '
  /^inputs:/ { inside = 1; next }
  /^[a-z]/ { inside = 0 }
  inside && /^  [a-z-]+:$/ { name = $1; sub(/:$/, "", name); gsub(/-/, "_", name); name = toupper(name) }
  inside && /^    default:/ {
    value = $0; sub(/^ *default: */, "", value); gsub(/\047/, "", value)
    if (name != "WORKING_DIRECTORY" && name != "GITHUB_TOKEN") print name "=" value
  }
' "$root/action.yml" >"$work/defaults"

check() {
  local what=$1
  shift
  if "$@"; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    echo "FAILED $what: code $code, arguments:"
    printf '%s\n' "$args" "$log" "$(cat "$work/run/stderr")" "$(cat "$work/run/outputs")" | sed 's/^/    /'
  fi
}
ends() { [[ $code == "$1" && $(last verdict) == "$2" && $(last exit-code) == "${3:-$1}" ]]; }
has() { [[ $'\n'$args$'\n' == *$'\n'"<$1>"$'\n'* ]]; }
lacks() { [[ $args != *"<$1"* ]]; }
ran() { [[ -e $work/run/args ]]; }
did_not_run() { [[ ! -e $work/run/args ]]; }
saw() { grep -q "^$1" "$work/run/env"; }
saw_not() { ! saw "$1"; }
says() { [[ $log == *"$1"* ]]; }

fork=(GITHUB_EVENT_NAME=pull_request EVENT_HEAD_REPOSITORY=stranger/repository EVENT_BASE_SHA="$base")
same=(GITHUB_EVENT_NAME=pull_request EVENT_HEAD_REPOSITORY=owner/repository EVENT_BASE_SHA="$base")

# --- Exit codes and outputs.
act FAKE_VERDICT=pass
check 'pass ends well' ends 0 pass
check 'a push compares without a base' lacks --changed-since
check 'the outputs of the binary stay' test "$(last junit-path)" = x.xml
check 'standard input is closed' test ! -s "$work/run/stdin"
act FAKE_VERDICT=fail FAKE_CODE=1
check 'fail fails the step, outputs set' ends 1 fail
act FAKE_VERDICT=inconclusive FAKE_CODE=4
check 'inconclusive fails the step' ends 4 inconclusive
act FAKE_VERDICT=inconclusive FAKE_CODE=4 IN_FAIL_ON='gate_failed, usage,infra'
check 'fail-on lets inconclusive through' ends 0 inconclusive 4
act FAKE_VERDICT=fail FAKE_CODE=1 IN_FAIL_ON=''
check 'an empty fail-on lets a failed gate through' ends 0 fail 1
act FAKE_CODE=3
check 'no verdict written and exit 3 is an error' ends 3 error
act FAKE_CODE=2
check 'usage of the binary fails the step' ends 2 error
act FAKE_CODE=101 IN_FAIL_ON=''
check 'a crash always fails' ends 101 error
act FAKE_VERDICT=pass FAKE_CODE=143 IN_FAIL_ON=''
check 'an interrupt always fails' test "$code" = 143
act FAKE_HELP='--html <FILE>' FAKE_VERDICT=pass
check 'the HTML report is asked for' grep -q -E '^<--html=.*/gate\.html>$' <<<"$args"
act IN_COMMAND=lint
check 'lint forms no verdict' ends 0 skipped
check 'lint writes no reports' lacks --junit

# --- The command line.
act IN_BASELINE=v7 IN_CANDIDATE=v8 IN_SUITE=$'smoke\npromote\n' IN_SHARD=2/4 FAKE_VERDICT=pass
check 'versions come in order' test "$(head -n 3 "$work/run/args" | tr '\n' ' ')" = '<compare> <v7> <v8> '
check 'each suite is one argument' has --suite=promote
check 'the shard is passed' has --shard=2/4
check 'flags of a later version are left out' lacks --github-comment
check 'no HTML from a version without it' lacks --html
act "${same[@]}" FAKE_VERDICT=skipped
check 'a pull request is compared with its base' has "--changed-since=$base"
act "${same[@]}" IN_WORKING_DIRECTORY="$work/headed" FAKE_VERDICT=pass
check 'a checkout of the head falls back on the event' has "--changed-since=$base"
act GITHUB_EVENT_NAME=merge_group EVENT_BASE_SHA="$head" FAKE_VERDICT=pass
check 'a merge group has a base as well' has "--changed-since=$base"
act "${same[@]}" IN_CANDIDATE=v8 FAKE_VERDICT=pass
check 'a chosen version is not narrowed' lacks --changed-since
act "${same[@]}" IN_ARGS=--changed-since=HEAD FAKE_VERDICT=pass
check 'the base of the caller wins' lacks "--changed-since=$base"
act "${same[@]}" EVENT_BASE_SHA='' IN_WORKING_DIRECTORY="$work/headed"
check 'an unknown base is a usage error' ends 2 error
check 'and nothing is run' did_not_run
act "${same[@]}" FAKE_HELP=$'--github-comment\n--gate-from <REF>' FAKE_VERDICT=pass
check 'a comment is asked for where it can be' has --github-comment
check 'with its token' saw GITHUB_TOKEN=token
check 'with its mode and id' saw GATE_COMMENT=auto
check 'and what tells it apart' saw GATE_COMMENT_ID=gate
check 'the head judges in the same repository' lacks --gate-from
act GITHUB_EVENT_NAME=merge_group EVENT_BASE_SHA="$head" FAKE_HELP=--github-comment FAKE_VERDICT=pass
check 'a merge group has no pull request to comment on' lacks --github-comment
act "${same[@]}" FAKE_HELP=--github-comment IN_COMMENT=never FAKE_VERDICT=pass
check 'never means no comment' lacks --github-comment
check 'and no token' saw_not GITHUB_TOKEN=
act IN_SUMMARY=false FAKE_VERDICT=pass
check 'no summary on request' saw_not GITHUB_STEP_SUMMARY=
act IN_ANNOTATIONS=false FAKE_VERDICT=pass
check 'annotations are stopped' says '::stop-commands::gate-'
act IN_GATE_FROM=main FAKE_VERDICT=pass
check 'a revision judges if asked' has --gate-from=main

# --- Keys and forks.
act "${fork[@]}" FAKE_VERDICT=inconclusive FAKE_CODE=4
check 'a fork without a key stays offline' has --offline
check 'and its exit 4 does not fail the step' ends 0 inconclusive 4
act "${fork[@]}" FAKE_VERDICT=fail FAKE_CODE=1
check 'a fork can still fail' ends 1 fail
act "${fork[@]}" FAKE_CODE=3
check 'a fork can still be in error' ends 3 error
act "${fork[@]}" EVENT_HEAD_REPOSITORY='' FAKE_VERDICT=inconclusive FAKE_CODE=4
check 'a deleted fork is a fork' has --offline
act "${fork[@]}" OPENAI_API_KEY=x FAKE_VERDICT=inconclusive FAKE_CODE=4
check 'a key means no offline' lacks --offline
check 'and exit 4 counts' ends 4 inconclusive
act "${fork[@]}" OPENAI_API_KEY= FAKE_VERDICT=inconclusive FAKE_CODE=4
check 'an empty key is none' has --offline
act "${fork[@]}" FAKE_HELP='--gate-from <REF>' FAKE_VERDICT=inconclusive FAKE_CODE=4
check 'the base judges a fork' has "--gate-from=$base"
act "${fork[@]}" FAKE_HELP=--github-comment FAKE_VERDICT=inconclusive FAKE_CODE=4
check 'a fork gets no comment' lacks --github-comment
act "${fork[@]}" IN_ON_MISSING_SECRET=skip
check 'skip runs nothing' did_not_run
check 'and says skipped' ends 0 skipped
act "${fork[@]}" IN_ON_MISSING_SECRET=fail FAKE_CODE=3
check 'fail leaves it to the binary' lacks --offline
check 'which needs its key' ends 3 error
act "${same[@]}" FAKE_CODE=3
check 'the same repository without a key is no fork' lacks --offline
check 'and exit 3 fails' ends 3 error
act "${same[@]}" IN_ON_MISSING_SECRET=offline FAKE_VERDICT=inconclusive FAKE_CODE=4
check 'offline on request' has --offline
check 'is not lenient' ends 4 inconclusive
act GITHUB_EVENT_NAME=pull_request_target GITHUB_SHA="$merge" IN_WORKING_DIRECTORY="$work/headed"
check 'pull_request_target with a checkout of the head is refused' ends 2 error
check 'before anything runs' did_not_run

# --- Hostile text.
hostile=$'--tag=$(touch '"$work"$'/owned)\n`touch '"$work"$'/owned`\n; touch '"$work"$'/owned\n*\n  two  words \n"quoted\r\n--filter=a b'
act IN_ARGS="$hostile" FAKE_VERDICT=pass
check 'arguments are taken to the letter' has "--tag=\$(touch $work/owned)"
check 'stars stay stars' has '*'
check 'spaces stay' has '  two  words '
check 'quotes stay, a carriage return goes' has '"quoted'
check 'nothing was executed' test ! -e "$work/owned"
for hostile in baseline=--allow-exec candidate=--allow-exec gate-from=--upload-pack=x shard=1/2x "version=v0\$(id)" \
  command=rescore fail-on=everything comment-id='--> <script>' checksum=abc on-missing-secret=maybe working-directory=/nowhere; do
  name=${hostile%%=*}
  name=$(printf '%s' "$name" | tr 'a-z-' 'A-Z_')
  act IN_CANDIDATE=v8 "IN_$name=${hostile#*=}"
  check "a wrong $hostile is a usage error" ends 2 error
  check "and $hostile runs nothing" did_not_run
done
act IN_VERSION=$'v9\n::add-mask::x'
check 'an input cannot begin a workflow command' test -z "$(grep '^::add-mask' <<<"$log")"
act IN_CANDIDATE=$'v8\nverdict=pass'
check 'an input cannot write an output' test "$(last verdict)" = error

# --- The installed binary.
mkdir -p "$work/tools/bin"
cp "$work/gate" "$work/tools/bin/gate"
install() {
  : >"$work/run/outputs"
  code=0
  log=$(env GATE_ROOT="$work/tools" GITHUB_OUTPUT="$work/run/outputs" GITHUB_ACTION_PATH="$root" RUNNER_OS=Linux "$@" bash "$steps/install.sh" 2>&1) || code=$?
}
mkdir -p "$work/run"
install IN_COMMAND=install IN_CHECKSUM=
check 'a binary in place is used' test "$(last bin-path)" = "$work/tools/bin/gate"
check 'install forms no verdict' ends 0 skipped
install IN_COMMAND=compare IN_CHECKSUM="$(sha256sum "$work/gate" | cut -d ' ' -f 1)"
check 'the right checksum passes' test "$code" = 0
install IN_COMMAND=compare IN_CHECKSUM="$(printf '%064d' 0)"
check 'a wrong checksum stops' ends 2 error
check 'before the path is known' test -z "$(last bin-path)"

# --- A released binary: packed as the release packs it, "fetched" by a fake curl, checked against the action's table.
mkdir -p "$work/manual/man" "$work/manual/completions" "$work/fake" "$work/action/.github"
echo '.TH gate 1' >"$work/manual/man/gate.1"
release=gate-v9.9.9-x86_64-unknown-linux-musl
bash "$root/.github/release/package.sh" "$work/gate" "$work/manual" "$release" "$work/archives"
bash "$root/.github/release/package.sh" "$work/gate" "$work/manual" "$release" "$work/again"
check 'equal input gives an equal archive' cmp -s "$work/archives/$release.tar.gz" "$work/again/$release.tar.gz"
check 'the archive has man pages, licences and the change log' \
  test "$(tar -tzf "$work/archives/$release.tar.gz" | grep -c -E "^$release/(gate|man/gate.1|LICENSE-MIT|LICENSE-APACHE|CHANGELOG.md)$")" = 5
for tool in curl cargo; do
  printf '#!/usr/bin/env bash\n"fake_%s" "$@"\n' "$tool" >"$work/fake/$tool"
  chmod +x "$work/fake/$tool"
done
fake_curl() {
  printf '%s\n' "$@" >"$FAKE_SEEN/curl"
  [[ -n ${FAKE_ARCHIVE:-} ]] || return 22
  while [[ $1 != --output ]]; do shift; done
  cp "$FAKE_ARCHIVE" "$2"
}
fake_cargo() {
  printf '%s\n' "$@" >"$FAKE_SEEN/cargo"
  env >"$FAKE_SEEN/cargo-env"
  while [[ $1 != --root ]]; do shift; done
  mkdir -p "$2/bin"
  cp "$FAKE_BUILT" "$2/bin/gate"
}
export -f fake_curl fake_cargo
# fetch NAME=VALUE...: installs into an empty place, with the fake tools.
fetch() {
  rm -rf "$work/empty" "$work/run"
  mkdir -p "$work/empty" "$work/run"
  install PATH="$work/fake:$PATH" GATE_ROOT="$work/empty" GITHUB_ACTION_PATH="$work/action" RUNNER_ARCH=X64 \
    FAKE_SEEN="$work/run" FAKE_BUILT="$work/gate" IN_VERSION=v9.9.9 IN_COMMAND=install IN_CHECKSUM= "$@"
}
sum=$(sha256sum "$work/archives/$release.tar.gz" | cut -d ' ' -f 1)
printf '# a table\n%s  %s.tar.gz\n' "$sum" "$release" >"$work/action/checksums.txt"
fetch FAKE_ARCHIVE="$work/archives/$release.tar.gz"
check 'a released binary is installed' cmp -s "$(last bin-path)" "$work/gate"
check 'from the release of its version' grep -q "/promptgate/gate/releases/download/v9.9.9/$release.tar.gz$" "$work/run/curl"
check 'and nothing is built' test ! -e "$work/run/cargo"
fetch FAKE_ARCHIVE="$work/gate"
check 'an archive with a wrong checksum stops' ends 3 error
check 'is not unpacked' test ! -e "$work/empty/bin/gate"
check 'and nothing is built in its place' test ! -e "$work/run/cargo"
check 'and is told of' says 'has checksum'
fetch OPENAI_API_KEY=secret GH_TOKEN=secret
check 'what cannot be fetched is built' test -e "$work/run/cargo"
check 'with all that releases carry' grep -q -x full "$work/run/cargo"
check 'without the keys of the caller' test -z "$(grep secret "$work/run/cargo-env")"
fetch RUNNER_OS=Linux RUNNER_ARCH=RISCV FAKE_ARCHIVE="$work/archives/$release.tar.gz"
check 'a machine without a release builds' test -e "$work/run/cargo"
check 'and fetches nothing' test ! -e "$work/run/curl"
: >"$work/action/checksums.txt"
fetch FAKE_ARCHIVE="$work/archives/$release.tar.gz"
check 'a version without checksums builds' test -e "$work/run/cargo"

# --- The action itself: every input that a script reads is handed to its step, and none is written into a script.
declared() { awk -v script="$1" '/^    - name:/ { block = "" } { block = block $0 "\n" } $0 ~ script { keep = 1 } /^$/ { if (keep) printf "%s", block; keep = 0; block = "" } END { if (keep) printf "%s", block }' "$root/action.yml"; }
for script in prepare install gate finish; do
  missing=
  while IFS= read -r name; do
    declared "/$script.sh" | grep -q "^        $name:" || missing+=" $name"
  done < <(grep -o -E '\b(IN|EVENT)_[A-Z_]+' "$steps/$script.sh" | sort -u)
  check "$script.sh gets what it reads:$missing" test -z "$missing"
done
check 'no expression inside a run body' test -z "$(grep -E '^ *run:.*\$\{\{' "$root/action.yml")"
check 'no eval, no write to the path' test -z "$(grep -n -E '\beval\b|GITHUB_PATH' "$steps"/*.sh)"

echo "$passed passed, $failed failed"
[[ $failed -eq 0 ]]
