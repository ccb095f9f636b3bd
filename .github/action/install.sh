#!/usr/bin/env bash
# Puts the binary at a known path, built from the sources of the action by their lock file, and checks it.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

output verdict error
output exit-code 3

bin=$GATE_ROOT/bin/gate
[[ ${RUNNER_OS:-} == Windows ]] && bin=$bin.exe

if [[ ! -x $bin ]]; then
  command -v cargo >/dev/null || {
    printf '::error title=gate::%s\n' 'no Rust on this runner: install it with rustup in a step before this one'
    exit 3
  }
  # Build scripts of dependencies have no business with the caller's keys.
  while IFS= read -r name; do
    case $name in
      *_API_KEY | *_TOKEN | *_SECRET | *_PASSWORD | AWS_*) unset "$name" ;;
    esac
  done < <(compgen -e)
  # From the folder of the action, so that its rust-version decides and no configuration of the checkout is read.
  cd "$GITHUB_ACTION_PATH"
  CARGO_TARGET_DIR=$GATE_ROOT/target cargo install --locked --path . --bin gate --root "$GATE_ROOT" || exit 3
  rm -rf "$GATE_ROOT/target"
fi

if [[ -n $IN_CHECKSUM ]]; then
  found=$( (sha256sum "$bin" 2>/dev/null || shasum -a 256 "$bin") | cut -d ' ' -f 1)
  [[ ${found#\\} == "$IN_CHECKSUM" ]] || usage "the binary has checksum ${found#\\}, input checksum asks for another"
fi

output bin-path "$bin"
if [[ $IN_COMMAND == install ]]; then
  output verdict skipped
  output exit-code 0
fi
